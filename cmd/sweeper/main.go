// Command sweeper deletes quarantined pods when their time is up.
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/pflag"

	"sigs.k8s.io/controller-runtime/pkg/manager/signals"
)

func main() {
	options, err := parse(os.Args[1:])
	switch {
	case errors.Is(err, pflag.ErrHelp):
		return
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	case options.version:
		fmt.Println(version())
		return
	}
	if err := run(signals.SetupSignalHandler(), options); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
