// Command demo plays an incident from beginning to end on a local control plane
// with isolate: one broken pod of two leaves two Services, is replaced,
// kept, and deleted when its time is up. It fails unless all of it happens.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"isolate.example.io/test/framework/controlplane"
	"isolate.example.io/test/framework/installation"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "\nThe demo failed:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) (err error) {
	kube, err := controlplane.Binaries(ctx, os.Stderr)
	if err != nil {
		return err
	}
	programs, err := installation.Build(ctx, os.Stderr)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "isolate-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)

	start := time.Now()
	c, err := controlplane.Start(ctx, controlplane.Options{Dir: filepath.Join(dir, "control-plane"), Binaries: kube})
	if err != nil {
		return err
	}
	defer c.Stop()
	up := time.Now()
	i, err := installation.Install(ctx, c, installation.Options{Dir: filepath.Join(dir, "isolate"), Programs: programs})
	if err != nil {
		return err
	}
	defer i.Stop()
	fmt.Printf("A control plane was up in %s, isolate was installed in %s.\n",
		rounded(up.Sub(start)), rounded(time.Since(up)))
	return play(ctx, c)
}

func rounded(d time.Duration) string { return fmt.Sprintf("%d ms", d.Milliseconds()) }
