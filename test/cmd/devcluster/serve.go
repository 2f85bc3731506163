package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"isolate.example.io/test/framework/controlplane"
	"isolate.example.io/test/framework/installation"
)

const (
	// serveCommand makes this program the process in the background, for simulated nodes.
	serveCommand = "serve"

	// ready is what that process writes when everything is up.
	ready = "ready"

	// answerFile is the file descriptor that it writes to.
	answerFile = 3
)

// serve runs the control plane until it is told to stop, or a part of it exits.
func serve(ctx context.Context) error {
	p, err := findPlace(kinds()[0])
	if err != nil {
		return err
	}
	alive, err := p.takeOver()
	if err != nil {
		return err
	}
	defer alive.Close()
	defer os.RemoveAll(p.dir)
	return report(ctx, p.startAll)
}

// cluster is what runs in the background.
type cluster interface {
	Wait(context.Context) error
	Stop()
}

// report starts a cluster, tells the process that started this one when it is up, and
// waits until it is told to stop.
func report(ctx context.Context, start func(context.Context) (cluster, error)) error {
	answer := os.NewFile(answerFile, "answer")
	syscall.CloseOnExec(answerFile) // Otherwise the programs would hold it open.
	starting, cancel := context.WithCancel(ctx)
	defer cancel()
	up := make(chan struct{})
	go func() {
		// The process that started this one has exited early.
		_, _ = io.Copy(io.Discard, os.Stdin)
		select {
		case <-up:
		default:
			cancel()
		}
	}()
	c, err := start(starting)
	if err != nil {
		return ignoreCancelled(starting, err)
	}
	defer c.Stop()
	close(up)
	if _, err := answer.WriteString(ready); err != nil {
		return fmt.Errorf("reporting readiness: %w", err)
	}
	if err := answer.Close(); err != nil {
		return err
	}
	return c.Wait(ctx)
}

// simulated is a control plane with simulated nodes, and isolate's programs.
type simulated struct {
	*controlplane.ControlPlane
	installation *installation.Installation
}

// Stop implements [cluster].
func (s simulated) Stop() {
	s.installation.Stop()
	s.ControlPlane.Stop()
}

// takeOver marks this process as the running one until it exits.
func (p place) takeOver() (*os.File, error) {
	alive, err := os.OpenFile(p.alive(), os.O_CREATE|os.O_RDWR|os.O_TRUNC, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(alive.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(err, alive.Close())
	}
	_, err = alive.WriteString(strconv.Itoa(os.Getpid()))
	return alive, err
}

func (p place) startAll(ctx context.Context) (cluster, error) {
	kube, programs, err := binaries(ctx)
	if err != nil {
		return nil, err
	}
	c, err := controlplane.Start(ctx, controlplane.Options{Dir: filepath.Join(p.dir, "control-plane"), Binaries: kube})
	if err != nil {
		return nil, err
	}
	i, err := installation.Install(ctx, c, installation.Options{Dir: filepath.Join(p.dir, "isolate"), Programs: programs})
	if err == nil {
		// A copy, because its user may change it, for example with kubectl config.
		err = c.WriteKubeconfig(p.kubeconfig())
	}
	if err != nil {
		c.Stop()
		return nil, fmt.Errorf("installing isolate on the running control plane: %w", err)
	}
	return simulated{c, i}, nil
}

// ignoreCancelled drops the error of a cancelled start.
func ignoreCancelled(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	return nil
}
