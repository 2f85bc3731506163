package installation

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"isolate.example.io/test/framework/controlplane"
)

// startAttempts bounds the restarts of a program that exits before it is ready:
// another process may have taken its port.
const startAttempts = 3

// Program is one running replica.
type Program struct {
	*controlplane.Process

	// Dir is the replica's folder.
	Dir string

	// HealthURL and MetricsURL are the base URLs of /readyz and /metrics.
	HealthURL, MetricsURL string

	// CertDir is the folder with the webhook's mounted Secret.
	CertDir string

	// Port is the port of the webhook or the alert receiver, 0 for the sweeper.
	Port int

	// Delete removes the replica from the webhook's Service immediately, as deleting
	// its pod does. The program keeps running.
	Delete func()
}

// StartWebhook starts another webhook replica and returns when its Service sends
// connections to it.
func (i *Installation) StartWebhook(ctx context.Context, flags ...string) (*Program, error) {
	i.mu.Lock()
	var delay time.Duration
	if n := len(i.options.MountDelays); n > 0 {
		delay = i.options.MountDelays[i.started["webhook"]%n]
	}
	dir := filepath.Join(i.options.Dir, fmt.Sprintf("webhook-%d", i.started["webhook"]+1), "tls")
	i.mu.Unlock()
	running, stop := context.WithCancel(i.running)
	if err := i.mount(ctx, running, dir, delay); err != nil {
		stop()
		return nil, err
	}
	p, err := i.start(ctx, "webhook", func(p *Program, ports []int) []string {
		p.Port, p.CertDir = ports[2], dir
		return append([]string{
			"--host=127.0.0.1",
			"--port=" + strconv.Itoa(p.Port),
			"--cert-dir=" + dir,
		}, append(slices.Clip(i.options.WebhookFlags), flags...)...)
	})
	if err != nil {
		stop()
		return nil, err
	}
	go func() {
		<-p.Done()
		stop()
	}()
	return p, i.serve(ctx, p)
}

// StartSweeper starts another sweeper replica and returns when it is ready.
func (i *Installation) StartSweeper(ctx context.Context, flags ...string) (*Program, error) {
	return i.start(ctx, "sweeper", func(*Program, []int) []string {
		return append([]string{"--leader-election-namespace=" + Namespace}, append(slices.Clip(i.options.SweeperFlags), flags...)...)
	})
}

// StartAlertReceiver starts a replica of the alert receiver, which the caller has applied,
// and returns when it is ready. It has the flags of its Deployment, and accepts the token in
// the file.
func (i *Installation) StartAlertReceiver(ctx context.Context, tokenFile string, flags ...string) (*Program, error) {
	deployment := &unstructured.Unstructured{}
	deployment.SetGroupVersionKind(appsv1.SchemeGroupVersion.WithKind("Deployment"))
	if err := i.client.Get(ctx, client.ObjectKey{Namespace: Namespace, Name: "isolate-alert-receiver"}, deployment); err != nil {
		return nil, err
	}
	i.mu.Lock()
	err := i.noteFlags(deployment)
	i.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return i.start(ctx, "alert-receiver", func(p *Program, ports []int) []string {
		p.Port = ports[2]
		return append([]string{"--host=127.0.0.1", "--port=" + strconv.Itoa(p.Port), "--token-file=" + tokenFile}, flags...)
	})
}

func (i *Installation) start(ctx context.Context, name string, own func(p *Program, ports []int) []string) (*Program, error) {
	i.mu.Lock()
	i.started[name]++
	replica := fmt.Sprintf("%s-%d", name, i.started[name])
	i.mu.Unlock()
	dir := filepath.Join(i.options.Dir, replica)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	config, err := i.controlPlane.ServiceAccountConfig(ctx, Namespace, "isolate-"+name)
	if err != nil {
		return nil, err
	}
	if err := i.throughLink(config, replica); err != nil {
		return nil, err
	}
	kubeconfig := filepath.Join(dir, "kubeconfig")
	if err := controlplane.WriteKubeconfig(config, kubeconfig); err != nil {
		return nil, err
	}
	for range startAttempts {
		var p *Program
		if p, err = i.startOnce(ctx, name, dir, kubeconfig, own); err == nil {
			i.mu.Lock()
			defer i.mu.Unlock()
			i.programs = append(i.programs, p)
			return p, nil
		}
		if ctx.Err() != nil {
			break
		}
	}
	return nil, fmt.Errorf("starting %s: %w", replica, err)
}

// throughLink makes a config reach the API server through the replica's link.
func (i *Installation) throughLink(config *rest.Config, replica string) error {
	const scheme = "https://"
	address, err := i.options.Link.Address(replica, "kube-apiserver", strings.TrimPrefix(config.Host, scheme))
	config.Host = scheme + address
	return err
}

func (i *Installation) startOnce(ctx context.Context, name, dir, kubeconfig string, own func(p *Program, ports []int) []string) (*Program, error) {
	ports, err := controlplane.FreePorts(3)
	if err != nil {
		return nil, err
	}
	health, metrics := "127.0.0.1:"+strconv.Itoa(ports[0]), "127.0.0.1:"+strconv.Itoa(ports[1])
	p := &Program{Dir: dir, HealthURL: "http://" + health, MetricsURL: "http://" + metrics}
	i.mu.Lock()
	shipped := i.shippedFlags[name]
	i.mu.Unlock()
	flags := slices.Concat(shipped, []string{
		"--kubeconfig=" + kubeconfig, "--health-address=" + health, "--metrics-address=" + metrics,
	}, own(p, ports))
	if p.Process, err = controlplane.StartProcess(dir, name, filepath.Join(i.options.Programs, name), flags...); err != nil {
		return nil, err
	}
	if err := p.waitReady(ctx); err != nil {
		p.Kill()
		return nil, err
	}
	return p, nil
}

// Running reports whether the program has not exited.
func (p *Program) Running() bool {
	select {
	case <-p.Done():
		return false
	default:
		return true
	}
}

// waitReady returns when the program is ready or has exited.
func (p *Program) waitReady(ctx context.Context) error {
	return poll(ctx, func(ctx context.Context) (bool, error) {
		select {
		case <-p.Done():
			return false, p.Err()
		default:
			return p.Ready(ctx), nil
		}
	})
}

// Ready reports whether the program's /readyz succeeds. It is false once the program
// has exited, because another process may reuse its port.
func (p *Program) Ready(ctx context.Context) bool {
	select {
	case <-p.Done():
		return false
	default:
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.HealthURL+"/readyz", nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	defer response.Body.Close()
	return response.StatusCode == http.StatusOK
}
