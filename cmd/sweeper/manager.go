package main

import (
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"isolate.example.io/sweeper/quarantinedpods"
)

// leaseName is the lease that the leader holds. Only the leader deletes.
const leaseName = "isolate-sweeper"

func (o *options) managerOptions() manager.Options {
	// client-go's proportions: a lease of 15 seconds is renewed every 2, within 10.
	renew, retry := o.leaseDuration*2/3, o.leaseDuration*2/15
	return manager.Options{
		Cache:                         quarantinedpods.CacheOptions(),
		LeaderElection:                o.leaderElect,
		LeaderElectionID:              leaseName,
		LeaderElectionNamespace:       o.leaderElectionNamespace,
		LeaderElectionReleaseOnCancel: true, // The process exits after Run.
		LeaseDuration:                 &o.leaseDuration,
		RenewDeadline:                 &renew,
		RetryPeriod:                   &retry,
	}
}
