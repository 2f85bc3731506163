// Command demo plays an incident from beginning to end: one broken pod of two leaves two
// Services, is replaced, kept, and deleted when its time is up. It fails unless all of it
// happens.
//
//	demo                       on a local control plane, whose pods are simulated
//	demo --node                on a real node, with containers and traffic (root on Linux)
//	demo --context=kind-kind   on a cluster of one's own with isolate, with traffic, in a
//	                           namespace that is removed afterwards
package main

import (
	"context"
	"flag"
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
	onNode := flag.Bool("node", false, "Play on a real node.")
	contextName := flag.String("context", "", "Play on the cluster of this context of the kubeconfig.")
	image := flag.String("image", workloadImage, "With --context, the application's image.")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	var err error
	code := 1
	switch {
	case *onNode && *contextName != "":
		err = errNodeAndContext
	case *onNode:
		code, err = runOnNode(ctx)
	case *contextName != "":
		err = runOnCluster(ctx, *contextName, *image)
	default:
		err = run(ctx)
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "\nThe demo failed:", err)
		os.Exit(1)
	}
	if *onNode {
		os.Exit(code)
	}
}

// run plays the incident on a control plane with simulated nodes.
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
	s, err := newStage(ctx, c.Config(), []string{c.Kubectl()}, c.Kubeconfig())
	if err != nil {
		return err
	}
	return s.play()
}

func rounded(d time.Duration) string { return fmt.Sprintf("%d ms", d.Milliseconds()) }
