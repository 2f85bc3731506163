// Package command is what isolate's programs have in common: flags about the
// process itself, the log, the version, and how main ends.
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

// Options are a program's own flags.
type Options interface {
	// AddFlags adds the flags, in groups.
	AddFlags(flags *Flags)
	// Validate returns all that is wrong with their values.
	Validate() []error
	// Run runs the program until the context ends.
	Run(ctx context.Context, process *Process) error
}

// Main is the whole of a program, whose purpose is one sentence: it returns the code
// to exit with.
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
	setMemoryLimit()
	if err := setPings(); err != nil {
		fmt.Fprintln(stderr, err)
		return exitFailed
	}
	logger.Info("Starting", "version", Version())
	if err := options.Run(signals.SetupSignalHandler(), process); err != nil {
		fmt.Fprintln(stderr, err)
		return exitFailed
	}
	return 0
}

// Parse reads the flags, and reports everything that is wrong with them at once.
// For --help it returns [pflag.ErrHelp].
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
