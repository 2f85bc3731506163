package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"isolate.example.io/cmd/internal/command"
)

const (
	// defaultNamespace is where the shipped manifests install isolate.
	defaultNamespace = "isolate-system"

	// minLeaseDuration leaves room for a renewal that the API server answers slowly.
	minLeaseDuration = 3 * time.Second
)

// options are the command's flags.
type options struct {
	workers            int
	replacementTimeout time.Duration

	leaderElect             bool
	leaderElectionNamespace string
	leaseDuration           time.Duration
}

// AddFlags implements [command.Options].
func (o *options) AddFlags(flags *pflag.FlagSet) {
	flags.IntVar(&o.workers, "workers", 32,
		"How many pods may be deleted at the same time.")
	flags.DurationVar(&o.replacementTimeout, "replacement-timeout", 5*time.Minute,
		"How long after a quarantine the pod's former controller may be short of pods before that is reported.")
	flags.BoolVar(&o.leaderElect, "leader-elect", true,
		"Have the replicas agree on one that deletes, by a lease. Without it there must be one replica only.")
	flags.StringVar(&o.leaderElectionNamespace, "leader-election-namespace", command.PodNamespace(defaultNamespace),
		"The namespace of the lease. In a cluster it is the pod's own unless given.")
	flags.DurationVar(&o.leaseDuration, "lease-duration", 15*time.Second,
		"How long the other replicas wait for a leader that was killed or cut off. At least 3s.")
}

// Validate implements [command.Options].
func (o *options) Validate() []error {
	var errs []error
	if o.workers < 1 {
		errs = append(errs, fmt.Errorf("--workers is %d, and must be at least 1", o.workers))
	}
	if o.replacementTimeout <= 0 {
		errs = append(errs, fmt.Errorf("--replacement-timeout is %s, and must be more than 0s", o.replacementTimeout))
	}
	if o.leaderElect && o.leaderElectionNamespace == "" {
		errs = append(errs, errors.New("--leader-election-namespace is empty: name the namespace of the lease, or set --leader-elect=false"))
	}
	if o.leaseDuration < minLeaseDuration {
		errs = append(errs, fmt.Errorf("--lease-duration is %s, and must be at least %s", o.leaseDuration, minLeaseDuration))
	}
	return errs
}
