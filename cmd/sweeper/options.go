package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"isolate.example.io/certs"
	"isolate.example.io/cmd/internal/command"
)

const (
	// defaultNamespace is where the shipped manifests install isolate.
	defaultNamespace = "isolate-system"

	// minLeaseDuration leaves room for a renewal that the API server answers slowly.
	minLeaseDuration = 3 * time.Second

	// serviceName is the Service by which the API server calls the webhook.
	serviceName = "isolate-webhook"

	day = 24 * time.Hour

	// rotationSteps is how many times a change must reach everyone before the last
	// third of a certificate's validity is over: a new authority, then what it signed.
	rotationSteps = 2
)

// options are the command's flags.
type options struct {
	workers            int
	replacementTimeout time.Duration

	leaderElect             bool
	leaderElectionNamespace string
	leaseDuration           time.Duration

	selfSigned   bool
	certificates certs.Settings
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

	flags.BoolVar(&o.selfSigned, "self-signed", false,
		"Have the leader keep the webhook's certificate, with an authority of its own. For clusters without cert-manager.")
	o.certificates = certs.Settings{
		Names:      []string{serviceName + "." + command.PodNamespace(defaultNamespace) + ".svc"},
		CAValidity: 5 * 365 * day, ServingValidity: 90 * day, Propagation: 5 * time.Minute,
	}
	flags.Var((*command.Duration)(&o.certificates.CAValidity), "ca-validity",
		"How long a new authority is valid, such as 36h, 90d or 5y. It is replaced when two thirds have passed. Only with --self-signed, as the next two.")
	flags.Var((*command.Duration)(&o.certificates.ServingValidity), "certificate-validity",
		"How long a new certificate of the webhook is valid. It is replaced when two thirds have passed.")
	flags.Var((*command.Duration)(&o.certificates.Propagation), "propagation-delay",
		"How long a changed Secret takes at most to reach the mounts of all pods, and a changed webhook configuration to reach all API servers. "+
			"A new authority waits so long before it signs, and an old one is trusted so long after.")
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
	if o.selfSigned {
		errs = append(errs, validateCertificates(o.certificates)...)
	}
	return errs
}

func validateCertificates(c certs.Settings) []error {
	var errs []error
	if c.Propagation <= 0 {
		errs = append(errs, errors.New("--propagation-delay is 0, and must be more"))
	}
	if least := 3 * rotationSteps * c.Propagation; c.ServingValidity < least {
		errs = append(errs, fmt.Errorf("--certificate-validity is %s, and must be at least %d times --propagation-delay, %s: a rotation must fit into its last third",
			c.ServingValidity, 3*rotationSteps, least))
	}
	if c.CAValidity < c.ServingValidity {
		errs = append(errs, fmt.Errorf("--ca-validity is %s, and must be at least --certificate-validity, %s", c.CAValidity, c.ServingValidity))
	}
	return errs
}
