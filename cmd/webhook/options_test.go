package main

import (
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
	require.Equal(t, &options{port: 10250, certDir: "/tls", drainPeriod: 5 * time.Second, rules: quarantine.DefaultRules()}, o)
}

func TestFlagsAreTaken(t *testing.T) {
	o := &options{}
	_, err := command.Parse("webhook", o, []string{
		"--host=127.0.0.1", "--port=8443", "--cert-dir=certs", "--drain-period=2s", "--default-ttl=1d12h", "--max-ttl=7d",
		"--label-prefix=crashed", "--rewrite-label=team", "--rewrite-label=example.com/group",
		"--replacing-kind=CloneSet.apps.kruise.io", "--controller-budget=1", "--namespace-budget=0",
	})
	require.NoError(t, err)
	require.Equal(t, &options{host: "127.0.0.1", port: 8443, certDir: "certs", drainPeriod: 2 * time.Second, rules: quarantine.Rules{
		Prefix: "crashed", ExtraKeys: []string{"team", "example.com/group"},
		DefaultTTL: 36 * time.Hour, MaxTTL: 7 * 24 * time.Hour,
		ControllerBudget: 1, NamespaceBudget: 0,
		ReplacingKinds: []schema.GroupKind{{Group: "apps.kruise.io", Kind: "CloneSet"}},
	}, replacingKinds: []string{"CloneSet.apps.kruise.io"}}, o)
}

func TestEverythingThatIsWrongIsSaidAtOnce(t *testing.T) {
	_, err := command.Parse("webhook", &options{}, []string{
		"--port=0", "--cert-dir=", "--drain-period=2m", "--default-ttl=2d", "--max-ttl=1d", "--label-prefix=a_", "--rewrite-label=a b",
		"--replacing-kind=CloneSet", "--controller-budget=-1", "--namespace-budget=-2",
	})
	require.EqualError(t, err, "--port is 0, and must be between 1 and 65535\n"+
		"--cert-dir is empty: name the folder that has tls.crt and tls.key\n"+
		"--drain-period is 2m0s, and must be between 0s and 1m0s\n"+
		`--replacing-kind is "CloneSet", and must be a kind and its group, such as CloneSet.apps.kruise.io`+"\n"+
		"--label-prefix is a_, and a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', "+
		"and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for "+
		"validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')\n"+
		"--rewrite-label is a b, and name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end "+
		"with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "+
		"'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')\n"+
		"--default-ttl is 48h0m0s, and must be at least 1s and at most the maximum, 24h0m0s\n"+
		"--controller-budget is -1, and must be a whole number, 0 for no limit\n"+
		"--namespace-budget is -2, and must be a whole number, 0 for no limit")
}

func TestADurationThatCannotBeReadSaysHowToWriteIt(t *testing.T) {
	_, err := command.Parse("webhook", &options{}, []string{"--default-ttl=tomorrow"})
	require.EqualError(t, err, `invalid argument "tomorrow" for "--default-ttl" flag: write it as 90s, 30m, 36h, 7d or 1d12h: `+
		`not a valid duration string: "tomorrow"`)
}
