package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"isolate.example.io/cmd/internal/command"
)

func TestFlagsAreOptional(t *testing.T) {
	o := &options{}
	process, err := command.Parse("sweeper", o, nil)
	require.NoError(t, err)
	require.Equal(t, &options{
		workers:                 32,
		replacementTimeout:      5 * time.Minute,
		leaderElect:             true,
		leaderElectionNamespace: "isolate-system",
		leaseDuration:           15 * time.Second,
	}, o)

	manager := managerOptions(o, process)
	require.Equal(t, ":8081", manager.HealthProbeBindAddress)
	require.Equal(t, ":8080", manager.Metrics.BindAddress)
}

func TestALeaseIsRenewedAsOftenAsClientGoDoes(t *testing.T) {
	manager := managerOptions(&options{leaseDuration: 15 * time.Second}, &command.Process{})
	require.Equal(t, 15*time.Second, *manager.LeaseDuration)
	require.Equal(t, 10*time.Second, *manager.RenewDeadline)
	require.Equal(t, 2*time.Second, *manager.RetryPeriod)
}

func TestFlagsAreTaken(t *testing.T) {
	o := &options{}
	_, err := command.Parse("sweeper", o, []string{
		"--workers=4", "--replacement-timeout=1m", "--leader-elect=false", "--leader-election-namespace=", "--lease-duration=5s",
	})
	require.NoError(t, err)
	require.Equal(t, &options{workers: 4, replacementTimeout: time.Minute, leaseDuration: 5 * time.Second}, o)
}

func TestEverythingThatIsWrongIsSaidAtOnce(t *testing.T) {
	_, err := command.Parse("sweeper", &options{}, []string{
		"--workers=0", "--replacement-timeout=0s", "--leader-election-namespace=", "--lease-duration=1s",
		"--health-address=8081", "--metrics-address=:99999",
	})
	require.EqualError(t, err, "--workers is 0, and must be at least 1\n"+
		"--replacement-timeout is 0s, and must be more than 0s\n"+
		"--leader-election-namespace is empty: name the namespace of the lease, or set --leader-elect=false\n"+
		"--lease-duration is 1s, and must be at least 3s\n"+
		`--health-address is "8081", and must be an address such as :8081 or 127.0.0.1:0, or 0 for none: address 8081: missing port in address`+"\n"+
		`--metrics-address is ":99999", and must be an address such as :8081 or 127.0.0.1:0, or 0 for none: address 99999: invalid port`)
}
