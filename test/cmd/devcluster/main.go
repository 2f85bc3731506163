// Command devcluster keeps a control plane with isolate running in the background,
// for anyone who wants a cluster to try things on.
//
//	devcluster build   builds what the others need
//	devcluster up      starts it, or prints where it is
//	devcluster down    stops it
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	commands := map[string]func(context.Context) error{"build": build, "up": up, "down": down, serveCommand: serve}
	if len(args) == 1 {
		if command, ok := commands[args[0]]; ok {
			return command(ctx)
		}
	}
	return errors.New("usage: devcluster build | up | down")
}
