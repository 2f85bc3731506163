package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"

	"isolate.example.io/test/framework/controlplane"
	"isolate.example.io/test/framework/node"
)

const (
	// serveNodeCommand makes this program the process in the background, for a real node.
	serveNodeCommand = "serve-node"

	// listenerFile is the file descriptor on which the process inside the node's
	// namespaces accepts connections from outside.
	listenerFile = 4
)

func nodeKinds() []kind {
	return []kind{{name: "node", description: "a cluster with a real node and isolate", build: buildNode, serve: serveNodeCommand}}
}

func addNodeCommands(commands map[string]func(context.Context) error) {
	commands[serveNodeCommand] = serveNode
}

func buildNode(ctx context.Context) (string, error) {
	if os.Getuid() != 0 {
		return "", errors.New("make node needs root: run it with sudo")
	}
	built, err := node.Build(ctx, os.Stderr)
	return built.Binaries, err
}

// serveNode runs the cluster in namespaces of its own until it is told to stop.
func serveNode(ctx context.Context) error {
	p, err := findPlace(nodeKinds()[0])
	if err != nil {
		return err
	}
	if node.Inside() {
		return report(ctx, p.startNode)
	}
	alive, err := p.takeOver()
	if err != nil {
		return err
	}
	defer alive.Close()
	defer os.RemoveAll(p.dir)
	built, err := node.Build(ctx, os.Stderr)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	file, err := listener.(*net.TCPListener).File()
	if err != nil {
		return err
	}
	if err := listener.Close(); err != nil { // The file is a copy.
		return err
	}
	code, err := node.Run(ctx, built, os.NewFile(answerFile, "answer"), file)
	if err == nil && code != 0 {
		err = fmt.Errorf("the cluster ended with exit code %d", code)
	}
	return ignoreCancelled(ctx, err)
}

// startNode starts the cluster and isolate, and writes a kubeconfig for use outside of
// the node's namespaces.
func (p place) startNode(ctx context.Context) (cluster, error) {
	listener, err := net.FileListener(os.NewFile(listenerFile, "listener"))
	if err != nil {
		return nil, err
	}
	n, err := node.Start(ctx)
	if err != nil {
		return nil, err
	}
	if err := n.Install(ctx, "overlays/default"); err != nil {
		return nil, err
	}
	config, err := n.Forward(context.WithoutCancel(ctx), listener)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(p.dir, 0o755); err != nil {
		return nil, err
	}
	return n, controlplane.WriteKubeconfig(config, p.kubeconfig())
}
