package main

import (
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"sigs.k8s.io/controller-runtime/pkg/client/config"
)

const (
	// podNamespaceFile is where a pod with a service account finds its namespace.
	podNamespaceFile = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"
	// defaultNamespace is where the shipped manifests install isolate.
	defaultNamespace = "isolate-system"

	// minLeaseDuration leaves room for a renewal that the API server answers slowly.
	minLeaseDuration = 3 * time.Second
)

// options are the command's flags.
type options struct {
	workers int

	leaderElect             bool
	leaderElectionNamespace string
	leaseDuration           time.Duration

	healthAddress  string
	metricsAddress string

	logLevel slog.Level
	version  bool
}

// parse reads the flags, and reports everything that is wrong with them at once.
func parse(args []string) (*options, error) {
	o := &options{}
	flags := pflag.NewFlagSet("sweeper", pflag.ContinueOnError)
	flags.SortFlags = false
	o.addSweepingFlags(flags)
	o.addElectionFlags(flags)
	o.addServingFlags(flags)
	o.addProcessFlags(flags)
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if unknown := flags.Args(); len(unknown) > 0 {
		return nil, fmt.Errorf("sweeper takes flags only, not %s; see --help", strings.Join(unknown, " "))
	}
	return o, o.validate()
}

func (o *options) addSweepingFlags(flags *pflag.FlagSet) {
	flags.IntVar(&o.workers, "workers", 32,
		"How many pods may be deleted at the same time.")
}

func (o *options) addElectionFlags(flags *pflag.FlagSet) {
	flags.BoolVar(&o.leaderElect, "leader-elect", true,
		"Have the replicas agree on one that deletes, by a lease. Without it there must be one replica only.")
	flags.StringVar(&o.leaderElectionNamespace, "leader-election-namespace", podNamespace(),
		"The namespace of the lease. In a cluster it is the pod's own unless given.")
	flags.DurationVar(&o.leaseDuration, "lease-duration", 15*time.Second,
		"How long the other replicas wait for a leader that was killed or cut off. At least 3s.")
}

func (o *options) addServingFlags(flags *pflag.FlagSet) {
	flags.StringVar(&o.healthAddress, "health-address", ":8081",
		"The address that serves /healthz and /readyz. A port of 0 takes any free one, and the address 0 serves nothing.")
	flags.StringVar(&o.metricsAddress, "metrics-address", ":8080",
		"The address that serves /metrics, over plain HTTP. A port of 0 takes any free one, and the address 0 serves nothing.")
}

func (o *options) addProcessFlags(flags *pflag.FlagSet) {
	var kubeconfig flag.FlagSet
	config.RegisterFlags(&kubeconfig)
	kubeconfig.Lookup(config.KubeconfigFlagName).Usage = "The kubeconfig file that says where the API server is. " +
		"Without it, the environment variable KUBECONFIG is tried, then the pod's service account."
	flags.AddGoFlagSet(&kubeconfig)
	flags.TextVar(&o.logLevel, "log-level", slog.LevelInfo,
		"The least `level` that is logged: debug, info, warn or error. Logs are JSON, on standard error.")
	flags.BoolVar(&o.version, "version", false,
		"Print the version and exit.")
}

func (o *options) validate() error {
	var errs []error
	if o.workers < 1 {
		errs = append(errs, fmt.Errorf("--workers is %d, and must be at least 1", o.workers))
	}
	if o.leaderElect && o.leaderElectionNamespace == "" {
		errs = append(errs, errors.New("--leader-election-namespace is empty: name the namespace of the lease, or set --leader-elect=false"))
	}
	if o.leaseDuration < minLeaseDuration {
		errs = append(errs, fmt.Errorf("--lease-duration is %s, and must be at least %s", o.leaseDuration, minLeaseDuration))
	}
	errs = append(errs, validateAddress("--health-address", o.healthAddress), validateAddress("--metrics-address", o.metricsAddress))
	return errors.Join(errs...)
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

// podNamespace is the namespace that this pod runs in, the shipped one elsewhere.
func podNamespace() string {
	data, err := os.ReadFile(podNamespaceFile)
	if err != nil {
		return defaultNamespace
	}
	return strings.TrimSpace(string(data))
}
