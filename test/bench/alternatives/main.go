package alternatives

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-logr/logr"
	"github.com/spf13/pflag"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/manager/signals"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

// Names of the alternatives.
const (
	// Floor is a webhook that always answers with the same patch.
	Floor = "floor"
	// Defaulter is isolate's decision in controller-runtime's WithDefaulter.
	Defaulter = "defaulter"
	// Controllers is a manager with typed informers on the selecting kinds.
	Controllers = "controllers"
	// Pods is a manager with a typed informer on pods.
	Pods = "pods"
	// Poller lists the quarantined pods periodically and deletes the expired ones.
	Poller = "poller"
)

var programs = map[string]func(manager.Manager, options) error{
	Floor:       addFloor,
	Defaulter:   addDefaulter,
	Controllers: addControllers,
	Pods:        addPods,
	Poller:      addPoller,
}

type options struct {
	port    int
	certDir string
}

// Main runs the alternative that the first argument names until SIGTERM.
func Main(args []string) error {
	if len(args) == 0 || programs[args[0]] == nil {
		return fmt.Errorf("name one of %s", strings.Join(slices.Sorted(maps.Keys(programs)), ", "))
	}
	log.SetLogger(logr.Discard())
	var o options
	var kubeconfig, health, metrics string
	flags := pflag.NewFlagSet(args[0], pflag.ContinueOnError)
	flags.StringVar(&kubeconfig, "kubeconfig", "", "The kubeconfig file.")
	flags.StringVar(&health, "health-address", "0", "The address of /readyz.")
	flags.StringVar(&metrics, "metrics-address", "0", "The address of /metrics.")
	flags.IntVar(&o.port, "port", 0, "The port of a webhook.")
	flags.StringVar(&o.certDir, "cert-dir", "", "The folder with a webhook's certificate.")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	config.QPS = -1
	mgr, err := manager.New(config, manager.Options{
		HealthProbeBindAddress: health,
		Metrics:                server.Options{BindAddress: metrics},
	})
	if err != nil {
		return err
	}
	if err := errors.Join(programs[args[0]](mgr, o), mgr.AddReadyzCheck("ping", healthz.Ping)); err != nil {
		return err
	}
	return mgr.Start(signals.SetupSignalHandler())
}

// runnable is a function that a manager runs.
type runnable func(context.Context) error

// Start implements [manager.Runnable].
func (r runnable) Start(ctx context.Context) error { return r(ctx) }
