// Package command is what isolate's programs have in common: flags about the
// process itself, the log, the version, and how main ends.
package command

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"runtime/debug"
	"strings"

	"github.com/go-logr/logr"
	"github.com/spf13/pflag"
	"k8s.io/klog/v2"

	"sigs.k8s.io/controller-runtime/pkg/client/config"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager/signals"
)

// Exit codes of a program.
const (
	exitFailed = 1
	exitUsage  = 2
)

// Options are a program's own flags.
type Options interface {
	// AddFlags adds the flags.
	AddFlags(flags *pflag.FlagSet)
	// Validate returns all that is wrong with their values.
	Validate() []error
	// Run runs the program until the context ends.
	Run(ctx context.Context, process *Process) error
}

// Process are the flags that every program has.
type Process struct {
	HealthAddress  string
	MetricsAddress string

	LogLevel slog.Level
	version  bool
}

// Main is the whole of a program: it returns the code to exit with.
func Main(name string, options Options, args []string, stderr io.Writer) int {
	process, err := Parse(name, options, args)
	switch {
	case errors.Is(err, pflag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintln(stderr, err)
		return exitUsage
	case process.version:
		fmt.Println(Version())
		return 0
	}
	logger := logr.FromSlogHandler(slog.NewJSONHandler(stderr, &slog.HandlerOptions{Level: process.LogLevel}))
	log.SetLogger(logger)
	klog.SetLogger(logger)
	logger.Info("Starting", "version", Version())
	if err := options.Run(signals.SetupSignalHandler(), process); err != nil {
		fmt.Fprintln(stderr, err)
		return exitFailed
	}
	return 0
}

// Parse reads the flags, and reports everything that is wrong with them at once.
func Parse(name string, options Options, args []string) (*Process, error) {
	p := &Process{}
	flags := pflag.NewFlagSet(name, pflag.ContinueOnError)
	flags.SortFlags = false
	options.AddFlags(flags)
	p.addFlags(flags)
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if unknown := flags.Args(); len(unknown) > 0 {
		return nil, fmt.Errorf("%s takes flags only, not %s; see --help", name, strings.Join(unknown, " "))
	}
	return p, errors.Join(append(options.Validate(),
		validateAddress("--health-address", p.HealthAddress), validateAddress("--metrics-address", p.MetricsAddress))...)
}

func (p *Process) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&p.HealthAddress, "health-address", ":8081",
		"The address that serves /healthz and /readyz. A port of 0 takes any free one, and the address 0 serves nothing.")
	flags.StringVar(&p.MetricsAddress, "metrics-address", ":8080",
		"The address that serves /metrics, over plain HTTP. A port of 0 takes any free one, and the address 0 serves nothing.")
	var kubeconfig flag.FlagSet
	config.RegisterFlags(&kubeconfig)
	kubeconfig.Lookup(config.KubeconfigFlagName).Usage = "The kubeconfig file that says where the API server is. " +
		"Without it, the environment variable KUBECONFIG is tried, then the pod's service account."
	flags.AddGoFlagSet(&kubeconfig)
	flags.TextVar(&p.LogLevel, "log-level", slog.LevelInfo,
		"The least `level` that is logged: debug, info, warn or error. Logs are JSON, on standard error.")
	flags.BoolVar(&p.version, "version", false,
		"Print the version and exit.")
}

// validateAddress takes what controller-runtime does: host:port, or 0 for none.
func validateAddress(name, address string) error {
	if address == "0" {
		return nil
	}
	_, port, err := net.SplitHostPort(address)
	if err == nil {
		_, err = net.LookupPort("tcp", port)
	}
	if err != nil {
		return fmt.Errorf("%s is %q, and must be an address such as :8081 or 127.0.0.1:0, or 0 for none: %w", name, address, err)
	}
	return nil
}

// version is stamped by the linker; see the Dockerfile.
var version string

// Version is what was stamped on the program, or else what the Go toolchain noted
// when it built it.
func Version() string {
	if version != "" {
		return version
	}
	build, ok := debug.ReadBuildInfo()
	if !ok || build.Main.Version == "" {
		return "unknown"
	}
	return build.Main.Version
}

// PodNamespace is the namespace that this pod runs in, or the fallback outside
// of a cluster.
func PodNamespace(fallback string) string {
	data, err := os.ReadFile("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
	if err != nil {
		return fallback
	}
	return strings.TrimSpace(string(data))
}
