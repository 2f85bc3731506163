package controlplane

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"k8s.io/client-go/rest"

	"isolate.example.io/test/framework/services"
)

const (
	// startTimeout bounds the start, which takes five seconds on two idle cores.
	startTimeout = 2 * time.Minute
	// startAttempts bounds retries: another process may take a free port before the
	// program that it was meant for.
	startAttempts = 3
	// pollInterval is the time between two checks of a condition.
	pollInterval = 50 * time.Millisecond
)

//go:embed stages.yaml
var stages []byte

// Options configure a control plane. All but Dir and Binaries are optional.
type Options struct {
	// Dir is the folder for data, keys and logs. Start creates it; the caller removes it.
	Dir string

	// Binaries is the folder with the programs, from the function of that name.
	Binaries string

	// Nodes is the number of nodes that KWOK simulates, 3 by default.
	Nodes int

	// NodeAddress is an address of this machine at which real nodes and their containers
	// reach the API server. With it there is no KWOK and no stand-in for kube-proxy: the
	// caller starts the nodes, see package node.
	NodeAddress string

	// APIServerOnly omits the controllers, the scheduler and the nodes. Namespaces
	// then have no ServiceAccount, and pods are admitted without one.
	APIServerOnly bool

	// APIServerFlags and ControllerManagerFlags are appended, so they override.
	APIServerFlags         []string
	ControllerManagerFlags []string

	// Link returns the address at which one program reaches another one that listens at
	// this address. Tests put a proxy in between.
	Link Link
}

// ControlPlane is a running control plane. It runs until Stop, or until the process
// that started it exits.
type ControlPlane struct {
	options    Options
	authority  *authority
	url        string
	etcd       string // host:port
	kubeconfig string
	services   *services.Proxy

	mu sync.Mutex
	// processes are in start order, and parts are how to start each.
	processes []*Process
	parts     []part
}

// Start starts a control plane and returns when its nodes are Ready. If it fails,
// it leaves nothing running and the error has the end of the failed program's log.
func Start(ctx context.Context, options Options) (*ControlPlane, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if options.Nodes == 0 {
		options.Nodes = 3
	}
	var err error
	if options.Dir, err = filepath.Abs(options.Dir); err != nil {
		return nil, err
	}
	for range startAttempts {
		var c *ControlPlane
		if c, err = startOnce(ctx, options); err == nil {
			return c, nil
		}
		if ended := (*endedError)(nil); !errors.As(err, &ended) {
			break
		}
	}
	return nil, fmt.Errorf("starting the control plane: %w", err)
}

func startOnce(ctx context.Context, options Options) (*ControlPlane, error) {
	if err := os.RemoveAll(options.Dir); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(options.Dir, 0o755); err != nil {
		return nil, err
	}
	c := &ControlPlane{options: options, kubeconfig: filepath.Join(options.Dir, "kubeconfig")}
	if err := c.start(ctx); err != nil {
		c.Stop()
		return nil, err
	}
	return c, nil
}

func (c *ControlPlane) start(ctx context.Context) error {
	ports, err := FreePorts(2)
	if err != nil {
		return err
	}
	c.etcd = "127.0.0.1:" + strconv.Itoa(ports[0])
	c.url = "https://" + net.JoinHostPort(c.address(), strconv.Itoa(ports[1]))
	if c.authority, err = newAuthority(c.options.Dir, net.ParseIP(loopback), net.ParseIP(c.address()), net.ParseIP(clusterAddress)); err != nil {
		return fmt.Errorf("making certificates: %w", err)
	}
	if err := c.WriteKubeconfig(c.kubeconfig); err != nil {
		return err
	}
	if err := os.WriteFile(c.path("stages.yaml"), stages, 0o644); err != nil {
		return err
	}
	if c.services, err = services.Listen(); err != nil {
		return err
	}
	if err := c.writeEgress(); err != nil {
		return err
	}
	apiServer, err := c.apiServer("kube-apiserver", ports[1])
	if err != nil {
		return err
	}
	parts := []part{{"etcd", "etcd", c.etcdFlags(), nil}, apiServer}
	if !c.options.APIServerOnly {
		parts = append(parts,
			part{"kube-controller-manager", "kube-controller-manager", c.controllerManagerFlags(), nil},
			part{"kube-scheduler", "kube-scheduler", c.schedulerFlags(), nil},
		)
	}
	if !c.options.APIServerOnly && c.options.NodeAddress == "" {
		parts = append(parts, part{"kwok", "kwok", c.kwokFlags(), c.createNodes})
	}
	for _, program := range parts {
		if err := c.run(ctx, program); err != nil {
			return err
		}
	}
	if c.options.APIServerOnly {
		return nil
	}
	return c.nodesReady(ctx)
}

// Stop kills all programs and returns when they have exited. Nobody needs their
// data, so there is no graceful shutdown.
func (c *ControlPlane) Stop() {
	for _, process := range slices.Backward(c.running()) {
		process.Kill()
	}
	if c.services != nil {
		c.services.Close()
	}
}

// Wait returns nil when the context is done, or an error when a program exits.
func (c *ControlPlane) Wait(ctx context.Context) error {
	processes := c.running()
	ended := make(chan error, len(processes))
	for _, process := range processes {
		go func() {
			select {
			case <-process.Done():
				ended <- process.Err()
			case <-ctx.Done():
				ended <- nil
			}
		}()
	}
	return <-ended
}

// Err returns why a program has exited, or nil if all are running.
func (c *ControlPlane) Err() error {
	for _, process := range c.running() {
		select {
		case <-process.Done():
			return process.Err()
		default:
		}
	}
	return nil
}

// Process returns the program of that name, or nil.
func (c *ControlPlane) Process(name string) *Process {
	for _, process := range c.running() {
		if process.Name == name {
			return process
		}
	}
	return nil
}

// Config returns the administrator's config, without client-side rate limits.
func (c *ControlPlane) Config() *rest.Config { return c.authority.config(c.url, adminName, adminGroup) }

// UserConfig returns the config of a user with that name, in those groups.
func (c *ControlPlane) UserConfig(name string, groups ...string) *rest.Config {
	return c.authority.config(c.url, name, groups...)
}

// Service returns the stand-in for kube-proxy at a Service's address, host:port.
func (c *ControlPlane) Service(address string) *services.Service { return c.services.Service(address) }

// Kubeconfig returns the path of the administrator's kubeconfig.
func (c *ControlPlane) Kubeconfig() string { return c.kubeconfig }

// EtcdURL returns the base URL of etcd, which needs no credentials.
func (c *ControlPlane) EtcdURL() string { return "http://" + c.etcd }

// Kubectl returns the path of the built kubectl.
func (c *ControlPlane) Kubectl() string { return filepath.Join(c.options.Binaries, "kubectl") }

func (c *ControlPlane) path(name string) string { return filepath.Join(c.options.Dir, name) }

// FreePorts returns unused ports of the loopback address. Another process may take
// one before the caller does, so be ready to retry.
func FreePorts(n int) ([]int, error) {
	ports := make([]int, n)
	for i := range ports {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("finding a free port: %w", err)
		}
		defer listener.Close() // Not before all are found, so that none is found twice.
		ports[i] = listener.Addr().(*net.TCPAddr).Port
	}
	return ports, nil
}
