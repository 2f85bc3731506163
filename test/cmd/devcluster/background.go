package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"isolate.example.io/test/framework/controlplane"
	"isolate.example.io/test/framework/installation"
)

// place is the folder of a cluster in the background.
type place struct {
	dir  string
	kind kind
}

// kind is a kind of cluster.
type kind struct {
	// name is that of the command that starts it, and of its folder.
	name, description string
	// build returns the folder with the control plane's programs.
	build func(context.Context) (string, error)
	// serve is the command of the process that runs it.
	serve string
}

// kinds returns what there is. Only Linux can run a real node.
func kinds() []kind {
	return append([]kind{{name: "up", description: "a control plane with isolate", build: buildSimulated, serve: serveCommand}}, nodeKinds()...)
}

func findPlace(k kind) (place, error) {
	root, err := controlplane.Root()
	if err != nil {
		return place{}, err
	}
	return place{filepath.Join(root, ".build", k.name), k}, os.MkdirAll(filepath.Join(root, ".build"), 0o755)
}

// The lock is held while the cluster is started or stopped, and alive by the process
// that runs it.
func (p place) lock() string       { return p.dir + ".lock" }
func (p place) alive() string      { return p.dir + ".pid" }
func (p place) kubeconfig() string { return filepath.Join(p.dir, "kubeconfig") }
func (p place) log() string        { return p.dir + ".log" }

func build(ctx context.Context) error {
	_, err := buildSimulated(ctx)
	return err
}

func buildSimulated(ctx context.Context) (string, error) {
	kube, _, err := binaries(ctx)
	return kube, err
}

func binaries(ctx context.Context) (kube, programs string, err error) {
	if kube, err = controlplane.Binaries(ctx, os.Stderr); err != nil {
		return "", "", err
	}
	programs, err = installation.Build(ctx, os.Stderr)
	return kube, programs, err
}

// locked keeps other calls of up and down waiting until unlock is called. It returns the
// process that runs the cluster, 0 if there is none.
func (p place) locked() (pid int, unlock func(), err error) {
	if unlock, err = controlplane.Lock(p.lock()); err != nil {
		return 0, nil, err
	}
	if pid, err = p.runningPID(); err != nil {
		unlock()
		return 0, nil, err
	}
	return pid, unlock, nil
}

// up starts a cluster if it is not running, and prints how to use it.
func (k kind) up(ctx context.Context) error {
	p, err := findPlace(k)
	if err != nil {
		return err
	}
	kube, err := k.build(ctx)
	if err != nil {
		return err
	}
	pid, unlock, err := p.locked()
	if err != nil {
		return err
	}
	defer unlock()
	if pid == 0 {
		if err := p.start(ctx); err != nil {
			return err
		}
	}
	fmt.Printf("export KUBECONFIG=%s\nkubectl: %s\n", p.kubeconfig(), filepath.Join(kube, "kubectl"))
	return nil
}

// start starts this program again in its own session, and returns once that process
// reports that everything is up. Until then, it ends with this process.
func (p place) start(ctx context.Context) error {
	fmt.Fprintf(os.Stderr, "starting %s; make down stops it\n", p.kind.description)
	log, err := os.Create(p.log())
	if err != nil {
		return err
	}
	defer log.Close()
	program, err := os.Executable()
	if err != nil {
		return err
	}
	answer, answers, err := os.Pipe()
	if err != nil {
		return err
	}
	defer answer.Close()
	cmd := exec.Command(program, p.kind.serve)
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = log, log, []*os.File{answers}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	leash, err := cmd.StdinPipe() // Closed when this process ends, if not before.
	if err != nil {
		return err
	}
	defer leash.Close()
	if err := cmd.Start(); err != nil {
		return errors.Join(err, answers.Close())
	}
	if err := answers.Close(); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = leash.Close() })
	defer stop()
	said, err := io.ReadAll(answer) // Ends when the other process closes it or exits.
	if err != nil {
		return err
	}
	if string(said) == ready {
		return nil
	}
	if err := cmd.Wait(); err == nil {
		return fmt.Errorf("interrupted: %w", ctx.Err())
	}
	data, err := os.ReadFile(p.log())
	return errors.Join(errors.New(strings.TrimSpace(string(data))), err)
}

// runningPID returns the process that runs the cluster, or 0.
func (p place) runningPID() (int, error) {
	file, err := os.OpenFile(p.alive(), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err == nil {
		return 0, nil
	}
	data, err := io.ReadAll(file)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(string(data))
}

// down stops every cluster in the background and waits until everything is gone.
func down(context.Context) error {
	var errs []error
	for _, k := range kinds() {
		errs = append(errs, k.down())
	}
	return errors.Join(errs...)
}

func (k kind) down() error {
	p, err := findPlace(k)
	if err != nil {
		return err
	}
	pid, unlock, err := p.locked()
	if err != nil {
		return err
	}
	defer unlock()
	if pid != 0 {
		if err := syscall.Kill(pid, syscall.SIGTERM); err != nil && !errors.Is(err, syscall.ESRCH) {
			return err
		}
		gone, err := controlplane.Lock(p.alive()) // Waits until it has exited.
		if err != nil {
			return err
		}
		gone()
	}
	return errors.Join(os.RemoveAll(p.dir), remove(p.alive()), remove(p.log()))
}

func remove(file string) error {
	if err := os.Remove(file); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
