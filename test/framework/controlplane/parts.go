package controlplane

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strconv"

	"k8s.io/client-go/rest"
)

// Link returns the address at which the program from reaches the program to, which listens
// at this address, host:port. A nil Link changes nothing.
type Link func(from, to, address string) (string, error)

// Address returns where from reaches to.
func (l Link) Address(from, to, address string) (string, error) {
	if l == nil {
		return address, nil
	}
	return l(from, to, address)
}

// part is one program of a control plane.
type part struct {
	// name is unique; program is the name of its binary.
	name, program string
	flags         []string
	ready         func(context.Context) error
}

// apiServer returns the part that serves at a port.
func (c *ControlPlane) apiServer(name string, port int) (part, error) {
	etcd, err := c.options.Link.Address(name, "etcd", c.etcd)
	if err != nil {
		return part{}, err
	}
	config := c.authority.config("https://"+net.JoinHostPort(c.address(), strconv.Itoa(port)), adminName, adminGroup)
	return part{name, "kube-apiserver", c.apiServerFlags(etcd, port), func(ctx context.Context) error {
		return c.apiServerReady(ctx, config)
	}}, nil
}

// run starts a program and returns when it is ready.
func (c *ControlPlane) run(ctx context.Context, p part) error {
	process, err := StartProcess(c.options.Dir, p.name, filepath.Join(c.options.Binaries, p.program), p.flags...)
	if err != nil {
		return err
	}
	c.mu.Lock()
	if i := slices.IndexFunc(c.parts, func(other part) bool { return other.name == p.name }); i >= 0 {
		c.processes[i] = process
	} else {
		c.processes, c.parts = append(c.processes, process), append(c.parts, p)
	}
	c.mu.Unlock()
	if p.ready == nil {
		return nil
	}
	return p.ready(ctx)
}

// Restart kills the program of that name if it still runs, starts it with the same flags
// and data, and returns when it is ready.
func (c *ControlPlane) Restart(ctx context.Context, name string) error {
	process := c.Process(name)
	if process == nil {
		return fmt.Errorf("the control plane has no program %s", name)
	}
	process.Kill()
	c.mu.Lock()
	p := c.parts[slices.IndexFunc(c.parts, func(p part) bool { return p.name == name })]
	c.mu.Unlock()
	if err := c.run(ctx, p); err != nil {
		return fmt.Errorf("restarting %s: %w", name, err)
	}
	return nil
}

// AddAPIServer starts another API server of the same cluster, and returns the
// administrator's config for it.
func (c *ControlPlane) AddAPIServer(ctx context.Context, name string) (*rest.Config, error) {
	ports, err := FreePorts(1)
	if err != nil {
		return nil, err
	}
	p, err := c.apiServer(name, ports[0])
	if err != nil {
		return nil, err
	}
	if err := c.run(ctx, p); err != nil {
		return nil, fmt.Errorf("starting another API server: %w", err)
	}
	return c.authority.config("https://"+net.JoinHostPort(c.address(), strconv.Itoa(ports[0])), adminName, adminGroup), nil
}

// running returns the processes in start order.
func (c *ControlPlane) running() []*Process {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.processes)
}

func (c *ControlPlane) lastStarted() *Process {
	processes := c.running()
	return processes[len(processes)-1]
}
