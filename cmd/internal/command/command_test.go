package command

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"
)

// none is a program without flags of its own. err is a problem that Validate returns.
type none struct{ err error }

func (none) AddFlags(*Flags)                     {}
func (n none) Validate() []error                 { return []error{n.err} }
func (none) Run(context.Context, *Process) error { return nil }

func TestTheFlagsOfTheProcessAreParsed(t *testing.T) {
	p, err := Parse("none", none{}, []string{"--health-address=127.0.0.1:0", "--metrics-address=0", "--log-level=debug", "--version"})
	require.NoError(t, err)
	require.Equal(t, &Process{HealthAddress: "127.0.0.1:0", MetricsAddress: "0", LogLevel: slog.LevelDebug, version: true}, p)
}

func TestTheLastValueOfARepeatedFlagCounts(t *testing.T) {
	p, err := Parse("none", none{}, []string{"--metrics-address=:1", "--metrics-address", ":2"})
	require.NoError(t, err)
	require.Equal(t, ":2", p.MetricsAddress)
}

func TestInvalidFlagsAreAllReported(t *testing.T) {
	var stderr bytes.Buffer
	require.Equal(t, exitUsage, Main("none", "", none{errors.New("--workers is 0")}, []string{"--metrics-address=x", "now"}, io.Discard, &stderr))
	require.Equal(t, "none takes flags only, not now; see --help\n--workers is 0\n"+
		`--metrics-address is "x", and must be an address such as :8081 or 127.0.0.1:0, or 0 for none: address x: missing port in address`+"\n",
		stderr.String())
}

func TestHelpShowsTheGroupsWithTheirDefaults(t *testing.T) {
	var stdout, stderr bytes.Buffer
	require.Zero(t, Main("none", "none does nothing.", none{}, []string{"--no-such-flag", "--help"}, &stdout, &stderr))
	require.Empty(t, stderr.String())
	require.Equal(t, `none does nothing.

Usage: none [flags]

Process:
      --health-address string    The address that serves /healthz and /readyz. Port 0 takes
                                 any free port; the address 0 disables it. (default ":8081")
      --metrics-address string   The address that serves /metrics over plain HTTP. Port 0
                                 takes any free port; the address 0 disables it. (default ":8080")
      --kubeconfig string        The kubeconfig file. Without it, the environment variable
                                 KUBECONFIG is tried, then the pod's ServiceAccount.
      --log-level level          The lowest level that is logged: debug, info, warn or error.
                                 Logs are JSON, on standard error. (default info)
      --version                  Print the version and exit.
`, stdout.String())
}

func TestTheVersionIsPrintedToStandardOutput(t *testing.T) {
	var stdout, stderr bytes.Buffer
	require.Zero(t, Main("none", "", none{}, []string{"--version"}, &stdout, &stderr))
	require.Equal(t, Version()+"\n", stdout.String())
	require.Empty(t, stderr.String())
}
