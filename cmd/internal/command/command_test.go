package command

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"testing"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"
)

// none is a program without flags of its own.
type none struct{ err error }

func (none) AddFlags(*pflag.FlagSet)             {}
func (n none) Validate() []error                 { return []error{n.err} }
func (none) Run(context.Context, *Process) error { return nil }

func TestFlagsOfTheProcessAreTaken(t *testing.T) {
	p, err := Parse("none", none{}, []string{"--health-address=127.0.0.1:0", "--metrics-address=0", "--log-level=debug", "--version"})
	require.NoError(t, err)
	require.Equal(t, &Process{HealthAddress: "127.0.0.1:0", MetricsAddress: "0", LogLevel: slog.LevelDebug, version: true}, p)
}

func TestArgumentsAreRefused(t *testing.T) {
	_, err := Parse("none", none{}, []string{"now"})
	require.EqualError(t, err, "none takes flags only, not now; see --help")
}

func TestABadFlagEndsTheProgramWithAllThatIsWrong(t *testing.T) {
	var stderr bytes.Buffer
	require.Equal(t, exitUsage, Main("none", none{errors.New("--workers is 0")}, []string{"--metrics-address=x"}, &stderr))
	require.Equal(t, "--workers is 0\n"+
		`--metrics-address is "x", and must be an address such as :8081 or 127.0.0.1:0, or 0 for none: address x: missing port in address`+"\n",
		stderr.String())
}
