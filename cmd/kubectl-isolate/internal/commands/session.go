package commands

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/cli-runtime/pkg/printers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"
	"k8s.io/utils/clock"

	"isolate.example.io/cmd/kubectl-isolate/internal/pods"
)

// fieldManager is the field manager of the plugin's writes.
const fieldManager = "kubectl-isolate"

// session has what all commands share: the caller's flags and streams.
type session struct {
	genericiooptions.IOStreams
	flags   *genericclioptions.ConfigFlags
	factory cmdutil.Factory
	clock   clock.PassiveClock
}

func newSession(streams genericiooptions.IOStreams) *session {
	flags := genericclioptions.NewConfigFlags(true).WithDeprecatedPasswordFlag().WithWarningPrinter(streams)
	return &session{IOStreams: streams, flags: flags, factory: cmdutil.NewFactory(flags), clock: clock.RealClock{}}
}

// namespace returns the namespace of --namespace or of the context, or "default".
func (s *session) namespace() (string, error) {
	namespace, _, err := s.flags.ToRawKubeConfigLoader().Namespace()
	return namespace, err
}

// client returns a client with the caller's permissions. The handler gets the server's warnings.
func (s *session) client(warnings rest.WarningHandler) (kubernetes.Interface, error) {
	config, err := s.flags.ToRESTConfig()
	if err != nil {
		return nil, err
	}
	config = rest.CopyConfig(config)
	config.WarningHandler = warnings
	return kubernetes.NewForConfig(config)
}

// cluster returns the caller's view of the cluster, and the namespace that the flags
// name. Warnings are printed.
func (s *session) cluster() (cluster *pods.Cluster, namespace string, err error) {
	if namespace, err = s.namespace(); err != nil {
		return nil, "", err
	}
	client, err := s.client(s.printedWarnings())
	if err != nil {
		return nil, "", err
	}
	return &pods.Cluster{Client: client, Clock: s.clock}, namespace, nil
}

// pod returns the pod of this name in the namespace that the flags name.
func (s *session) pod(ctx context.Context, name string) (*pods.Cluster, *corev1.Pod, error) {
	cluster, namespace, err := s.cluster()
	if err != nil {
		return nil, nil, err
	}
	pod, err := cluster.Client.CoreV1().Pods(namespace).Get(ctx, name, metav1.GetOptions{})
	return cluster, pod, err
}

// printedWarnings prints each warning once, in colour on a terminal only.
func (s *session) printedWarnings() rest.WarningHandler {
	return rest.NewWarningWriter(s.ErrOut, rest.WarningWriterOptions{Deduplicate: true, Color: printers.AllowsColorOutput(s.ErrOut)})
}

// onePod takes one argument, POD or pod/POD.
func onePod(command *cobra.Command, args []string) (string, error) {
	if len(args) != 1 {
		return "", cmdutil.UsageErrorf(command, "%s", messageOnePod(len(args)))
	}
	kind, name, qualified := strings.Cut(args[0], "/")
	switch {
	case !qualified:
		return args[0], nil
	case kind == "pod" || kind == "pods" || kind == "po":
		return name, nil
	}
	return "", fmt.Errorf("isolate quarantines pods, not %s: name a pod. To see the pods: kubectl get pods", args[0])
}

// warningList collects the server's warnings, each once, to be printed later.
type warningList struct{ texts []string }

// HandleWarningHeader implements [rest.WarningHandler].
func (w *warningList) HandleWarningHeader(code int, _ string, text string) {
	if code == 299 && text != "" && !slices.Contains(w.texts, text) {
		w.texts = append(w.texts, text)
	}
}

// escaping escapes control characters in what others wrote, such as a reason or an event, so
// that it can't change what a terminal shows.
type escaping struct{ io.Writer }

// Write implements [io.Writer].
func (e escaping) Write(data []byte) (int, error) {
	return len(data), printers.WriteEscaped(e.Writer, string(data))
}
