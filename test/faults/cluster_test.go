package faults

import (
	"cmp"
	"context"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/kubernetes"

	"isolate.example.io/test/faults/machine"
	"isolate.example.io/test/faults/network"
	"isolate.example.io/test/framework/audit"
	"isolate.example.io/test/framework/controlplane"
	"isolate.example.io/test/framework/installation"
	"isolate.example.io/test/framework/waiting"
)

// cluster is a control plane with isolate installed, and a link between any two programs.
type cluster struct {
	testing.TB
	*controlplane.ControlPlane
	isolate *installation.Installation
	admin   *kubernetes.Clientset

	// deletions is the audit log of all deletions of pods.
	deletions audit.Log

	// dir has a folder for each replica.
	dir string

	mu    sync.Mutex
	links map[route]*network.Link
	// elsewhere are programs that a replica reaches at another address.
	elsewhere map[route]string
	// ahead is how far the clocks of replicas are ahead that are started, by their program.
	ahead map[string]time.Duration
}

// route is the direction in which a connection is opened.
type route struct{ from, to string }

// start starts a control plane and installs isolate. The admin's connections go through no
// link.
func start(t testing.TB, controlPlane controlplane.Options, isolate installation.Options) *cluster {
	t.Helper()
	c := &cluster{TB: t, links: map[route]*network.Link{}, elsewhere: map[route]string{}, ahead: map[string]time.Duration{}}
	var err error
	c.deletions, err = audit.New(t.TempDir(), `{"level": "RequestResponse", "verbs": ["delete"],
		"resources": [{"group": "", "resources": ["pods"]}]}`)
	require.NoError(t, err)
	for name, value := range c.deletions.Flags() {
		controlPlane.APIServerFlags = append(controlPlane.APIServerFlags, "--"+name+"="+value)
	}
	t.Cleanup(c.closeLinks)
	controlPlane.Dir, controlPlane.Binaries, controlPlane.Link = filepath.Join(t.TempDir(), "control-plane"), binaries, c.link
	c.ControlPlane, err = controlplane.Start(t.Context(), controlPlane)
	require.NoError(t, err)
	t.Cleanup(c.Stop)
	c.admin, err = kubernetes.NewForConfig(c.Config())
	require.NoError(t, err)
	isolate.Dir, isolate.Programs, isolate.Link = t.TempDir(), cmp.Or(isolate.Programs, programs), c.link
	c.dir = isolate.Dir
	c.isolate, err = installation.Install(t.Context(), c.ControlPlane, isolate)
	require.NoError(t, err)
	t.Cleanup(c.isolate.Stop)
	return c
}

const (
	// sweeperUser is the user of isolate that deletes pods.
	sweeperUser = "system:serviceaccount:" + installation.Namespace + ":isolate-sweeper"

	// controllers is how the users of Kubernetes' own controllers begin.
	controllers = "system:serviceaccount:kube-system:"
)

// link implements [controlplane.Link].
func (c *cluster) link(from, to, address string) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := route{from, to}
	if other := c.elsewhere[r]; other != "" {
		address = other
	}
	link, err := network.Listen(address)
	if err != nil {
		return "", err
	}
	if old := c.links[r]; old != nil {
		old.Close()
	}
	for program, ahead := range c.ahead {
		if strings.HasPrefix(from, program) {
			if err := machine.SetClock(filepath.Join(c.dir, from), ahead); err != nil {
				return "", err
			}
		}
	}
	c.links[r] = link
	return link.Address(), nil
}

// between returns the link of a route.
func (c *cluster) between(from, to string) *network.Link {
	c.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	link := c.links[route{from, to}]
	require.NotNil(c, link, "%s has no connections to %s", from, to)
	return link
}

// redirect makes a replica that is started later reach a program at another address.
func (c *cluster) redirect(from, to, address string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.elsewhere[route{from, to}] = address
}

// setClocks sets the clocks of a program's replicas, also of those that are started later.
func (c *cluster) setClocks(program string, ahead time.Duration) {
	c.Helper()
	c.mu.Lock()
	c.ahead[program] = ahead
	c.mu.Unlock()
	dirs, err := filepath.Glob(filepath.Join(c.dir, program+"-*"))
	require.NoError(c, err)
	for _, dir := range dirs {
		require.NoError(c, machine.SetClock(dir, ahead))
	}
}

func (c *cluster) closeLinks() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, link := range c.links {
		link.Close()
	}
}

// name is the name of a replica in its links.
func name(p *installation.Program) string { return filepath.Base(p.Dir) }

// replicas returns the running replicas of a program, webhook or sweeper.
func (c *cluster) replicas(program string) []*installation.Program {
	var running []*installation.Program
	for _, p := range c.isolate.Programs() {
		if p.Name == program && p.Running() {
			running = append(running, p)
		}
	}
	return running
}

func (c *cluster) until(condition func(context.Context) bool, what string, args ...any) {
	c.Helper()
	waiting.Poll(c, func(ctx context.Context) (bool, error) { return condition(ctx), nil }, what, args...)
}
