// Command devcluster keeps a cluster with isolate running in the background, for anyone
// who wants one to try things on.
//
//	devcluster build   builds what up needs
//	devcluster up      starts a control plane with simulated nodes, or prints where it is
//	devcluster node    starts a cluster with a real node, or prints where it is
//	devcluster down    stops them
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
	commands := map[string]func(context.Context) error{"build": build, "down": down, serveCommand: serve}
	for _, k := range kinds() {
		commands[k.name] = k.up
	}
	addNodeCommands(commands)
	if len(args) == 1 {
		if command, ok := commands[args[0]]; ok {
			return command(ctx)
		}
	}
	return errors.New("usage: devcluster build | up | node | down")
}
