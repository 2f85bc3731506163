package main

import (
	"bytes"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"isolate.example.io/cmd/internal/command"
	"isolate.example.io/quarantine"
)

func TestFlagsAreOptional(t *testing.T) {
	o := &options{}
	_, err := command.Parse("webhook", o, nil)
	require.NoError(t, err)
	require.Equal(t, &options{port: 10250, certDir: "/tls", drainPeriod: 10 * time.Second, rules: quarantine.DefaultConfig()}, o)
}

func TestFlagsAreParsed(t *testing.T) {
	o := &options{}
	_, err := command.Parse("webhook", o, []string{
		"--host=127.0.0.1", "--port=8443", "--cert-dir=certs", "--drain-period=2s", "--default-ttl=1d12h", "--max-ttl=7d",
		"--label-prefix=crashed", "--rewrite-label=team", "--rewrite-label=example.com/group",
		"--replacing-kind=CloneSet.apps.kruise.io", "--controller-budget=1", "--namespace-budget=0",
	})
	require.NoError(t, err)
	require.Equal(t, &options{host: "127.0.0.1", port: 8443, certDir: "certs", drainPeriod: 2 * time.Second, rules: quarantine.Config{
		Prefix: "crashed", ExtraKeys: []string{"team", "example.com/group"},
		DefaultTTL: 36 * time.Hour, MaxTTL: 7 * 24 * time.Hour,
		ControllerBudget: 1, NamespaceBudget: 0,
		ReplacingKinds: []schema.GroupKind{{Group: "apps.kruise.io", Kind: "CloneSet"}},
	}, replacingKinds: []string{"CloneSet.apps.kruise.io"}}, o)
}

func TestInvalidFlagsAreAllReported(t *testing.T) {
	var stderr bytes.Buffer
	code := command.Main("webhook", purpose, &options{}, []string{
		"--port=0", "--cert-dir=", "--drain-period=2m", "--default-ttl=2d", "--max-ttl=1d", "--label-prefix=a_", "--rewrite-label=a b",
		"--replacing-kind=CloneSet", "--controller-budget=-1", "--namespace-budget=many",
		"--quarantine-ttl=1d", "--metrics-address=8080", "--log-level=all", "-v", "now", "--host",
	}, io.Discard, &stderr)
	require.Equal(t, 2, code)
	require.Equal(t, `--namespace-budget is "many", and must be a whole number, such as 50
webhook has no flag --quarantine-ttl; see --help
--log-level is "all", and must be debug, info, warn or error
webhook has no flag -v; see --help
webhook takes flags only, not now; see --help
--host has no value, and takes text
--port is 0, and must be between 1 and 65535
--cert-dir is empty: name the folder with tls.crt and tls.key
--drain-period is 2m, and must be between 0s and 1m
--replacing-kind is "CloneSet", and must be a kind and its group, such as CloneSet.apps.kruise.io
--label-prefix is "a_", and must have 1 to 32 letters, digits, '-', '_' or '.', and begin and end with a letter or digit
--rewrite-label is "a b", and must be the key of a label, such as team or example.com/team
--default-ttl is "2d", and must be at least 1s and at most the maximum, 1d
--controller-budget is "-1", and must be a whole number, 0 for no limit
--metrics-address is "8080", and must be an address such as :8081 or 127.0.0.1:0, or 0 for none: address 8080: missing port in address
`, stderr.String())
}
