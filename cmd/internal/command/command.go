package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"
	"strings"

	"github.com/go-logr/logr"
	"github.com/spf13/pflag"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager/signals"
)

// Exit codes of a program.
const (
	exitFailed = 1
	exitUsage  = 2
)

// Options are the flags of one program.
type Options interface {
	// AddFlags adds the flags, in groups.
	AddFlags(flags *Flags)
	// Validate returns every problem of the flags' values.
	Validate() []error
	// Run runs the program until the context ends.
	Run(ctx context.Context, process *Process) error
}

// Main runs a program and returns its exit code. The purpose is a sentence for --help.
func Main(name, purpose string, options Options, args []string, stdout, stderr io.Writer) int {
	process, err := Parse(name, options, args)
	switch {
	case errors.Is(err, pflag.ErrHelp):
		fmt.Fprint(stdout, help(name, purpose, options))
		return 0
	case err != nil:
		fmt.Fprintln(stderr, err)
		return exitUsage
	case process.version:
		fmt.Fprintln(stdout, Version())
		return 0
	}
	logger := logr.FromSlogHandler(slog.NewJSONHandler(stderr, &slog.HandlerOptions{Level: process.LogLevel}))
	log.SetLogger(logger)
	klog.SetLogger(logger)
	ctx := signals.SetupSignalHandler()
	setMemory(ctx)
	if err := setPings(); err != nil {
		fmt.Fprintln(stderr, err)
		return exitFailed
	}
	logger.Info("Starting", "version", Version())
	if err := options.Run(ctx, process); err != nil {
		fmt.Fprintln(stderr, err)
		return exitFailed
	}
	return 0
}

// Parse parses and validates the flags. The error has every problem, or is [pflag.ErrHelp]
// for --help.
func Parse(name string, options Options, args []string) (*Process, error) {
	p := &Process{}
	flags := newFlags(options, p)
	problems, err := flags.parse(name, args)
	if err != nil {
		return nil, err
	}
	return p, errors.Join(append(append(problems, options.Validate()...), p.validate()...)...)
}

// version is stamped by the linker; see the Dockerfile.
var version string

// Version returns the stamped version, or else the one that the Go toolchain recorded.
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

// PodNamespace returns the namespace of this pod, or the fallback outside of a cluster.
func PodNamespace(fallback string) string {
	data, err := os.ReadFile("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
	if err != nil {
		return fallback
	}
	return strings.TrimSpace(string(data))
}
