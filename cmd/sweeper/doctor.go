package main

import (
	"context"
	"fmt"
	"io"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client/config"

	"isolate.example.io/cmd/internal/command"
	"isolate.example.io/doctor"
)

// doctorCommand is the first argument that makes the sweeper check the installation instead
// of sweeping. The test of the Helm chart runs it, so the image needs no kubectl.
const doctorCommand = "doctor"

// examine checks whether a quarantine would work in the pod's own namespace, and returns the
// exit code. A check that can't tell is a failure: a test that proves nothing must not pass.
func examine(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if len(args) > 0 {
		fmt.Fprintf(stderr, "sweeper doctor takes no arguments, not %s\n", args[0])
		return 2
	}
	cfg, err := config.GetConfig()
	if err != nil {
		fmt.Fprintf(stderr, "finding the API server: %v\n", err)
		return 1
	}
	cfg.WarningHandler = rest.NoWarnings{} // The warnings are about the pod of the dry run, which nobody quarantines.
	client, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		fmt.Fprintf(stderr, "creating a client: %v\n", err)
		return 1
	}
	switch doctor.Report(ctx, client, clock.RealClock{}, command.PodNamespace(defaultNamespace), stdout) {
	case doctor.Failed, doctor.Unknown:
		fmt.Fprintln(stderr, "Nothing proves that a quarantine would work: see FAILED and UNKNOWN above")
		return 1
	default:
		return 0
	}
}
