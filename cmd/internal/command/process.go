package command

import (
	"flag"
	"fmt"
	"log/slog"
	"net"

	"sigs.k8s.io/controller-runtime/pkg/client/config"
)

// Process has the flags of every program.
type Process struct {
	HealthAddress  string
	MetricsAddress string

	LogLevel slog.Level
	version  bool
}

func (p *Process) addFlags(flags *Flags) {
	process := flags.Group("Process")
	process.StringVar(&p.HealthAddress, "health-address", ":8081",
		"The address that serves /healthz and /readyz. Port 0 takes any free port; the address 0 disables it.")
	process.StringVar(&p.MetricsAddress, "metrics-address", ":8080",
		"The address that serves /metrics over plain HTTP. Port 0 takes any free port; the address 0 disables it.")
	var kubeconfig flag.FlagSet
	config.RegisterFlags(&kubeconfig)
	kubeconfig.Lookup(config.KubeconfigFlagName).Usage = "The kubeconfig file. " +
		"Without it, the environment variable KUBECONFIG is tried, then the pod's ServiceAccount."
	process.AddGoFlagSet(&kubeconfig)
	process.Var((*level)(&p.LogLevel), "log-level",
		"The lowest level that is logged: debug, info, warn or error. Logs are JSON, on standard error.")
	process.BoolVar(&p.version, "version", false,
		"Print the version and exit.")
}

func (p *Process) validate() []error {
	return []error{
		validateAddress("--health-address", p.HealthAddress),
		validateAddress("--metrics-address", p.MetricsAddress),
	}
}

// validateAddress accepts what controller-runtime does: host:port, or 0 for none.
func validateAddress(name, address string) error {
	if address == "0" {
		return nil
	}
	_, port, err := net.SplitHostPort(address)
	if err == nil {
		_, err = net.LookupPort("tcp", port)
	}
	if err != nil {
		return fmt.Errorf("%s is %q, and must be an address such as :8081 or 127.0.0.1:0, or 0 for none: %w", name, address, err)
	}
	return nil
}
