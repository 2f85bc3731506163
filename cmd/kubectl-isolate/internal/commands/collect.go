package commands

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/printers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/kubectl/pkg/util/term"

	"isolate.example.io/cmd/kubectl-isolate/internal/collector"
	"isolate.example.io/cmd/kubectl-isolate/internal/evidence"
)

type collectOptions struct {
	*session
	file            string
	verify          string
	maxBytes, total resource.QuantityValue
	collect         collector.Options
	copies          []string
}

func newCollectCommand(s *session) *cobra.Command {
	o := &collectOptions{session: s}
	o.maxBytes.Quantity, o.total.Quantity = resource.MustParse("256Mi"), resource.MustParse("2Gi")
	command := &cobra.Command{
		Use:     "collect POD [-o FILE.tgz] [--exec CONTAINER -- COMMAND [ARGS...]]",
		Short:   "Save a pod's evidence in one archive",
		Long:    longCollect,
		Example: exampleCollect,
		RunE:    o.run,
	}
	flags := command.Flags()
	flags.StringVarP(&o.file, "output", "o", "", "The archive; - is standard output. Unless set, NAMESPACE-POD-TIME.tgz in this folder.")
	flags.StringVar(&o.verify, "verify", "", "Check that an archive is as its manifest says, and collect nothing.")
	flags.Var(&o.maxBytes, "max-bytes", "How large each file may become; what is longer is cut, and the manifest says so.")
	flags.Var(&o.total, "max-total-bytes", "How large all files together may become.")
	flags.StringVar(&o.collect.Exec, "exec", "", "Run the command after -- in this container, and save its output.")
	flags.StringArrayVar(&o.copies, "copy", nil, "CONTAINER:/path to copy as a tar, which the container's own tar makes. May be repeated.")
	flags.BoolVar(&o.collect.Checkpoint, "checkpoint", false, "Ask the kubelet for a checkpoint of each running container. It stays on its node; the archive has its path. The runtime pauses the container meanwhile, and it may stay paused if the checkpoint fails or is interrupted.")
	return command
}

func (o *collectOptions) run(command *cobra.Command, args []string) error {
	if o.verify != "" {
		if len(args) > 0 {
			return errVerifyAlone
		}
		return o.verifyArchive()
	}
	if dash := command.ArgsLenAtDash(); dash >= 0 {
		args, o.collect.Command = args[:dash], args[dash:]
	}
	name, err := onePod(command, args)
	if err != nil {
		return err
	}
	if err := o.complete(); err != nil {
		return err
	}
	ctx := command.Context()
	cluster, pod, err := o.pod(ctx, name)
	if err != nil {
		return err
	}
	return o.save(ctx, cluster.Client, pod)
}

// complete validates and parses the flags.
func (o *collectOptions) complete() error {
	if (o.collect.Exec == "") != (len(o.collect.Command) == 0) {
		return errExecCommand
	}
	if o.maxBytes.Sign() <= 0 || o.total.Sign() <= 0 {
		return errMaxBytes
	}
	for _, text := range o.copies {
		container, path, found := strings.Cut(text, ":")
		if !found || container == "" || path == "" {
			return errCopy(text)
		}
		o.collect.Copies = append(o.collect.Copies, collector.Copy{Container: container, Path: path})
	}
	if o.file == "-" && (term.TTY{Out: o.Out}).IsTerminalOut() {
		return errArchiveOnTerminal
	}
	return nil
}

// save writes to a temporary file and renames it, so that a file of the archive's name is
// complete.
func (o *collectOptions) save(ctx context.Context, client kubernetes.Interface, pod *corev1.Pod) error {
	if o.file == "-" {
		err := o.write(ctx, client, pod, o.Out, o.ErrOut)
		if err != nil && ctx.Err() != nil {
			return exitError{exitInterrupted, errPartOfArchive}
		}
		return err
	}
	if o.file == "" {
		o.file = fmt.Sprintf("%s-%s-%s.tgz", pod.Namespace, pod.Name, o.clock.Now().UTC().Format("20060102T150405Z"))
	}
	partial, err := os.CreateTemp(filepath.Dir(o.file), "."+filepath.Base(o.file)+"-*") // Only its owner may read it.
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(partial.Name()) }() // Does nothing once it is renamed.
	defer partial.Close()
	collected := o.write(ctx, client, pod, partial, o.Out)
	if ctx.Err() != nil {
		return exitError{exitInterrupted, errNoArchive}
	}
	if collected != nil && !isIncomplete(collected) {
		return collected
	}
	if err := errors.Join(partial.Sync(), partial.Close()); err != nil {
		return err
	}
	if err := os.Rename(partial.Name(), o.file); err != nil {
		return err
	}
	return collected
}

func isIncomplete(err error) bool {
	own := exitError{}
	return errors.As(err, &own) && own.code == exitIncomplete
}

// write collects into an archive, and prints the summary to report.
func (o *collectOptions) write(ctx context.Context, client kubernetes.Interface, pod *corev1.Pod, archive, report io.Writer) error {
	config, err := o.flags.ToRESTConfig()
	if err != nil {
		return err
	}
	sum := sha256.New()
	manifest := evidence.Manifest{
		Collector: evidence.Collector{Version: version(), User: o.user(ctx, client)},
		Cluster:   o.clusterOf(client, config),
		Pod:       evidence.Pod{Namespace: pod.Namespace, Name: pod.Name, UID: string(pod.UID)},
		MaxBytes:  o.maxBytes.Value(), MaxTotalBytes: o.total.Value(),
	}
	writer, err := evidence.NewWriter(io.MultiWriter(archive, sum), manifest, o.clock)
	if err != nil {
		return err
	}
	defer writer.Discard()
	if err := o.collectInto(ctx, client, config, writer, pod); err != nil {
		return err
	}
	if err := errors.Join(ctx.Err(), writer.Close()); err != nil {
		return err
	}
	fmt.Fprintln(report, messageCollected(o.file, &writer.Manifest, hex.EncodeToString(sum.Sum(nil))))
	return o.reportMissing(&writer.Manifest)
}

func (o *collectOptions) collectInto(ctx context.Context, client kubernetes.Interface, config *rest.Config, writer *evidence.Writer, pod *corev1.Pod) error {
	dynamicClient, err := o.factory.DynamicClient()
	if err != nil {
		return err
	}
	mapper, err := o.factory.ToRESTMapper()
	if err != nil {
		return err
	}
	c := &collector.Collector{Config: config, Client: client, Dynamic: dynamicClient, Mapper: mapper, Archive: writer, Progress: o.progress}
	return c.Collect(ctx, pod, o.collect)
}

// progress prints the name of a file that takes longer than a second.
func (o *collectOptions) progress(name string) (over func()) {
	timer := time.AfterFunc(quiet, func() { fmt.Fprintln(o.ErrOut, messageCollecting(name)) })
	return func() { timer.Stop() }
}

// reportMissing warns about what was not collected, except what does not exist.
func (o *collectOptions) reportMissing(manifest *evidence.Manifest) error {
	warnings := printers.NewWarningPrinter(o.ErrOut, printers.WarningPrinterOptions{Color: printers.AllowsColorOutput(o.ErrOut)})
	incomplete := false
	for _, file := range manifest.Files {
		if file.Cut || file.Error != "" {
			incomplete = true
			warnings.Print(messageCut(&file))
		}
	}
	for _, missing := range manifest.Missing {
		if missing.Reason != string(metav1.StatusReasonNotFound) {
			incomplete = true
			warnings.Print(messageMissing(&missing))
		}
	}
	if incomplete {
		return exitError{exitIncomplete, errIncomplete}
	}
	return nil
}

// user returns the caller's user name on the API server, or "" if it does not say.
func (o *collectOptions) user(ctx context.Context, client kubernetes.Interface) string {
	review, err := client.AuthenticationV1().SelfSubjectReviews().Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if err != nil {
		return ""
	}
	return review.Status.UserInfo.Username
}

func (o *collectOptions) clusterOf(client kubernetes.Interface, config *rest.Config) evidence.Cluster {
	cluster := evidence.Cluster{Server: config.Host}
	if version, err := client.Discovery().ServerVersion(); err == nil {
		cluster.Version = version.GitVersion
	}
	return cluster
}

func (o *collectOptions) verifyArchive() error {
	file, err := os.Open(o.verify)
	if err != nil {
		return err
	}
	defer file.Close()
	manifest, differences, err := evidence.Verify(file)
	if err != nil {
		return errNotVerified(o.verify, err)
	}
	for _, difference := range differences {
		fmt.Fprintln(o.Out, difference)
	}
	if len(differences) > 0 {
		return errDiffers(o.verify, len(differences))
	}
	fmt.Fprintln(o.Out, messageVerified(o.verify, manifest))
	return nil
}
