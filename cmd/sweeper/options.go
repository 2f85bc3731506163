package main

import (
	"errors"
	"fmt"
	"time"

	"isolate.example.io/certs/authority"
	"isolate.example.io/cmd/internal/command"
)

const (
	// defaultNamespace is where the shipped manifests install isolate.
	defaultNamespace = "isolate-system"

	// minLeaseDuration leaves room for a slow renewal.
	minLeaseDuration = 3 * time.Second

	// serviceName is the Service through which the API server calls the webhook.
	serviceName = "isolate-webhook"

	day = 24 * time.Hour

	// rotationSteps is how often a change must propagate within the last third of a
	// certificate's validity: a new CA, then the certificate that it signed. The third
	// time is for delays, such as a change of leader.
	rotationSteps = 3
)

// options are the command's flags.
type options struct {
	workers            int
	replacementTimeout time.Duration
	selecting          command.SelectingResources

	leaderElect             bool
	leaderElectionNamespace string
	leaseDuration           time.Duration

	selfSigned   bool
	certificates authority.Config
}

// AddFlags implements [command.Options].
func (o *options) AddFlags(flags *command.Flags) {
	work := flags.Group("Quarantined pods")
	work.IntVar(&o.workers, "workers", 100,
		"How many pods may be deleted at the same time. The default is what an API server serves at a time on one connection.")
	command.DurationVar(work, &o.replacementTimeout, "replacement-timeout", 5*time.Minute,
		"How long after a quarantine the former controller may be short of pods before this is reported.")
	o.selecting.AddFlag(work)

	leader := flags.Group("Leader election")
	leader.BoolVar(&o.leaderElect, "leader-elect", true,
		"Elect one leader among the replicas, by a lease. Without it there must be only one replica.")
	leader.StringVar(&o.leaderElectionNamespace, "leader-election-namespace", command.PodNamespace(defaultNamespace),
		"The namespace of the lease. In a cluster, the pod's own by default.")
	command.DurationVar(leader, &o.leaseDuration, "lease-duration", 15*time.Second,
		"How long the other replicas wait for a leader that was killed or disconnected. At least 3s.")

	o.certificates.DNSNames = []string{serviceName + "." + command.PodNamespace(defaultNamespace) + ".svc"}
	certificates := flags.Group("The webhook's certificate")
	certificates.BoolVar(&o.selfSigned, "self-signed", false,
		"Have the leader issue the webhook's certificate, with a CA of its own. For clusters without cert-manager.")
	command.DurationVar(certificates, &o.certificates.CAValidity, "ca-validity", 5*365*day,
		"How long a new CA is valid, such as 36h, 90d or 5y. It is replaced after two thirds of that. This flag and the next two need --self-signed.")
	command.DurationVar(certificates, &o.certificates.ServingValidity, "certificate-validity", 90*day,
		"How long a new certificate of the webhook is valid. It is replaced after two thirds of that.")
	command.DurationVar(certificates, &o.certificates.Propagation, "propagation-delay", 5*time.Minute,
		"The longest time until a changed Secret reaches all pods that mount it, and a changed webhook configuration all API servers. "+
			"A new CA signs nothing for this long, and an old one stays trusted for this long afterwards.")
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
	errs = append(errs, o.selecting.Validate()...)
	if o.leaderElect && o.leaderElectionNamespace == "" {
		errs = append(errs, errors.New("--leader-election-namespace is empty: name the namespace of the lease, or set --leader-elect=false"))
	}
	if o.leaseDuration < minLeaseDuration {
		errs = append(errs, fmt.Errorf("--lease-duration is %s, and must be at least %s", command.Short(o.leaseDuration), command.Short(minLeaseDuration)))
	}
	if o.selfSigned {
		errs = append(errs, validateCertificates(o.certificates)...)
	}
	return errs
}

func validateCertificates(c authority.Config) []error {
	var errs []error
	if c.Propagation <= 0 {
		errs = append(errs, errors.New("--propagation-delay is 0s, and must be more"))
	}
	if least := 3 * rotationSteps * c.Propagation; c.ServingValidity < least {
		errs = append(errs, fmt.Errorf("--certificate-validity is %s, and must be at least %d times --propagation-delay, %s: a rotation must fit into its last third",
			command.Short(c.ServingValidity), 3*rotationSteps, command.Short(least)))
	}
	if c.CAValidity < c.ServingValidity {
		errs = append(errs, fmt.Errorf("--ca-validity is %s, and must be at least --certificate-validity, %s", command.Short(c.CAValidity), command.Short(c.ServingValidity)))
	}
	return errs
}
