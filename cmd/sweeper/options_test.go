package main

import (
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestFlagsAreOptional(t *testing.T) {
	o, err := parse(nil)
	require.NoError(t, err)
	require.Equal(t, &options{
		workers:                 32,
		leaderElect:             true,
		leaderElectionNamespace: "isolate-system",
		leaseDuration:           15 * time.Second,
		healthAddress:           ":8081",
		metricsAddress:          ":8080",
		logLevel:                slog.LevelInfo,
	}, o)
}

func TestALeaseIsRenewedAsOftenAsClientGoDoes(t *testing.T) {
	o, err := parse(nil)
	require.NoError(t, err)
	manager := managerOptions(o)
	require.Equal(t, 15*time.Second, *manager.LeaseDuration)
	require.Equal(t, 10*time.Second, *manager.RenewDeadline)
	require.Equal(t, 2*time.Second, *manager.RetryPeriod)
}

func TestFlagsAreTaken(t *testing.T) {
	o, err := parse([]string{
		"--workers=4", "--leader-elect=false", "--leader-election-namespace=", "--lease-duration=5s",
		"--health-address=127.0.0.1:0", "--metrics-address=0", "--log-level=debug", "--version",
	})
	require.NoError(t, err)
	require.Equal(t, &options{
		workers: 4, leaseDuration: 5 * time.Second,
		healthAddress: "127.0.0.1:0", metricsAddress: "0", logLevel: slog.LevelDebug, version: true,
	}, o)
}

func TestEverythingThatIsWrongIsSaidAtOnce(t *testing.T) {
	_, err := parse([]string{
		"--workers=0", "--leader-election-namespace=", "--lease-duration=1s",
		"--health-address=8081", "--metrics-address=:99999",
	})
	require.EqualError(t, err, "--workers is 0, and must be at least 1\n"+
		"--leader-election-namespace is empty: name the namespace of the lease, or set --leader-elect=false\n"+
		"--lease-duration is 1s, and must be at least 3s\n"+
		`--health-address is "8081", and must be an address such as :8081 or 127.0.0.1:0, or 0 for none: address 8081: missing port in address`+"\n"+
		`--metrics-address is ":99999", and must be an address such as :8081 or 127.0.0.1:0, or 0 for none: address 99999: invalid port`)
}

func TestArgumentsAreRefused(t *testing.T) {
	_, err := parse([]string{"now"})
	require.EqualError(t, err, "sweeper takes flags only, not now; see --help")
}
