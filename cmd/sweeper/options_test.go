package main

import (
	"bytes"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"isolate.example.io/certs/authority"
	"isolate.example.io/cmd/internal/command"
)

var certificates = authority.Config{
	DNSNames:   []string{"isolate-webhook.isolate-system.svc"},
	CAValidity: 5 * 365 * day, ServingValidity: 90 * day, Propagation: 5 * time.Minute,
}

func TestFlagsAreOptional(t *testing.T) {
	o := &options{}
	process, err := command.Parse("sweeper", o, nil)
	require.NoError(t, err)
	require.Equal(t, &options{
		workers:                 100,
		replacementTimeout:      5 * time.Minute,
		leaderElect:             true,
		leaderElectionNamespace: "isolate-system",
		leaseDuration:           15 * time.Second,
		certificates:            certificates,
	}, o)
	require.Equal(t, ":8081", process.HealthAddress)
	require.Equal(t, ":8080", process.MetricsAddress)
}

func TestTheLeaseHasClientGosProportions(t *testing.T) {
	manager := (&options{leaseDuration: 15 * time.Second}).managerOptions()
	require.Equal(t, 15*time.Second, *manager.LeaseDuration)
	require.Equal(t, 10*time.Second, *manager.RenewDeadline)
	require.Equal(t, 2*time.Second, *manager.RetryPeriod)
}

func TestFlagsAreParsed(t *testing.T) {
	o := &options{}
	_, err := command.Parse("sweeper", o, []string{
		"--workers=4", "--replacement-timeout=1m", "--leader-elect=false", "--leader-election-namespace=", "--lease-duration=5s",
		"--self-signed", "--ca-validity=1y", "--certificate-validity=12h", "--propagation-delay=90s",
	})
	require.NoError(t, err)
	require.Equal(t, &options{workers: 4, replacementTimeout: time.Minute, leaseDuration: 5 * time.Second, selfSigned: true, certificates: authority.Config{
		DNSNames:   certificates.DNSNames,
		CAValidity: 365 * day, ServingValidity: 12 * time.Hour, Propagation: 90 * time.Second,
	}}, o)
}

func TestInvalidFlagsAreAllReported(t *testing.T) {
	var stderr bytes.Buffer
	code := command.Main("sweeper", purpose, &options{}, []string{
		"--workers", "0", "--replacement-timeout=0s", "--leader-election-namespace=", "--lease-duration=1s",
		"--self-signed", "--ca-validity=10m", "--certificate-validity=20m", "--propagation-delay=4m",
		"--health-address=8081", "--metrics-address=:99999", "--leader-elect=perhaps", "--worker=3", "--log-level",
	}, io.Discard, &stderr)
	require.Equal(t, 2, code)
	require.Equal(t, `--leader-elect is "perhaps", and must be true or false
sweeper has no flag --worker; see --help
--log-level has no value, and takes debug, info, warn or error
--workers is 0, and must be at least 1
--replacement-timeout is 0s, and must be more than 0s
--leader-election-namespace is empty: name the namespace of the lease, or set --leader-elect=false
--lease-duration is 1s, and must be at least 3s
--certificate-validity is 20m, and must be at least 9 times --propagation-delay, 36m: a rotation must fit into its last third
--ca-validity is 10m, and must be at least --certificate-validity, 20m
--health-address is "8081", and must be an address such as :8081 or 127.0.0.1:0, or 0 for none: address 8081: missing port in address
--metrics-address is ":99999", and must be an address such as :8081 or 127.0.0.1:0, or 0 for none: address 99999: invalid port
`, stderr.String())
}

func TestAnInvalidDurationIsReportedWithTheFormat(t *testing.T) {
	_, err := command.Parse("sweeper", &options{}, []string{"--lease-duration=1.5s"})
	require.EqualError(t, err, `--lease-duration is "1.5s", and must be a time such as 90s, 30m, 36h, 7d or 1d12h`)
}
