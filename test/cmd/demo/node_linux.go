package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"isolate.example.io/test/framework/node"
)

// runOnNode plays the incident on a real node, in the node's own namespaces, and returns
// the exit code.
func runOnNode(ctx context.Context) (int, error) {
	if !node.Inside() {
		built, err := node.Build(ctx, os.Stderr)
		if err != nil {
			return 1, err
		}
		return node.Run(ctx, built)
	}
	start := time.Now()
	n, err := node.Start(ctx)
	if err != nil {
		return 1, err
	}
	defer n.Stop()
	up := time.Now()
	if err := n.Install(ctx, "overlays/default"); err != nil {
		return 1, err
	}
	fmt.Printf("A control plane and a node were up in %s, isolate's pods were Ready %s later.\n", rounded(up.Sub(start)), rounded(time.Since(up)))
	s, err := newStage(ctx, n.Config(), []string{n.Kubectl()}, n.Kubeconfig())
	if err != nil {
		return 1, err
	}
	s.playReal(node.WorkloadImage)
	return 0, s.play()
}
