package installation

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"isolate.example.io/test/framework/controlplane"
	"isolate.example.io/test/framework/manifests"
)

const (
	// Namespace is where the manifests install isolate.
	Namespace = "isolate-system"

	// installTimeout bounds the installation. It takes three seconds on two idle cores.
	installTimeout = 2 * time.Minute
	pollInterval   = 20 * time.Millisecond
)

// Options say what to install. The zero value of each but Dir and Programs is fine.
type Options struct {
	// Dir is the folder for logs, keys and kubeconfigs of the replicas.
	Dir string

	// Programs is the folder of the programs; see Build.
	Programs string

	// Kustomization is the one of the manifests' folder to apply; overlays/default unless set.
	Kustomization string

	// Applied is whether the caller has applied it, so that only the programs are missing.
	Applied bool

	// WebhookFlags and SweeperFlags are added to those that are shipped. They win.
	WebhookFlags, SweeperFlags []string

	// ProbePeriod is how often the Service's stand-in asks a replica of the webhook
	// whether it is ready; 100 ms unless set. ProbeLag is how long the answer takes
	// to reach the nodes.
	ProbePeriod, ProbeLag time.Duration

	// MountDelays are how long after a change of it the webhook's Secret reaches the
	// replicas, in turn; at once unless set. A kubelet takes a minute and more.
	MountDelays []time.Duration

	// WithoutWebhook and WithoutSweeper leave starting the program to the caller.
	WithoutWebhook, WithoutSweeper bool
}

// Installation is isolate, installed and running.
type Installation struct {
	options      Options
	controlPlane *controlplane.ControlPlane
	client       client.Client

	// running ends with Stop.
	running context.Context
	stop    context.CancelFunc

	// shippedFlags are those of the Deployments' containers, by container.
	shippedFlags map[string][]string

	mu       sync.Mutex
	started  map[string]int
	programs []*Program
}

// Install installs isolate, and returns once the API server goes by it. Where
// that fails no program is left running.
func Install(ctx context.Context, c *controlplane.ControlPlane, options Options) (*Installation, error) {
	ctx, cancel := context.WithTimeout(ctx, installTimeout)
	defer cancel()
	if options.Kustomization == "" {
		options.Kustomization = "overlays/default"
	}
	if options.ProbePeriod == 0 {
		options.ProbePeriod = 100 * time.Millisecond
	}
	api, err := client.New(c.Config(), client.Options{})
	if err != nil {
		return nil, err
	}
	i := &Installation{options: options, controlPlane: c, client: api, started: map[string]int{}, shippedFlags: map[string][]string{}}
	i.running, i.stop = context.WithCancel(context.Background())
	if err := i.install(ctx); err != nil {
		i.Stop()
		return nil, fmt.Errorf("installing isolate: %w", err)
	}
	return i, nil
}

func (i *Installation) install(ctx context.Context) error {
	root, err := controlplane.Root()
	if err != nil {
		return err
	}
	objects, err := manifests.Build(ctx, i.controlPlane.Kubectl(), filepath.Join(root, "manifests"), i.options.Kustomization)
	if err != nil {
		return err
	}
	for _, object := range objects {
		if object.GetKind() == "Deployment" {
			if err := i.noteFlags(object); err != nil {
				return err
			}
		}
	}
	if !i.options.Applied {
		if err := i.controlPlane.Apply(ctx, objects...); err != nil {
			return err
		}
	}
	if err := i.startPrograms(ctx); err != nil {
		return err
	}
	return i.waitForPolicies(ctx)
}

func (i *Installation) noteFlags(deployment *unstructured.Unstructured) error {
	containers, _, err := unstructured.NestedSlice(deployment.Object, "spec", "template", "spec", "containers")
	if err != nil {
		return err
	}
	for _, container := range containers {
		c, ok := container.(map[string]any)
		if !ok {
			return fmt.Errorf("a container of %s is %T", deployment.GetName(), container)
		}
		name, _, _ := unstructured.NestedString(c, "name")
		if i.shippedFlags[name], _, err = unstructured.NestedStringSlice(c, "args"); err != nil {
			return err
		}
		i.shippedFlags[name] = slices.Clip(i.shippedFlags[name])
	}
	return nil
}

func (i *Installation) startPrograms(ctx context.Context) error {
	var group sync.WaitGroup
	var errWebhook, errSweeper error
	if !i.options.WithoutWebhook {
		group.Go(func() {
			if _, errWebhook = i.StartWebhook(ctx); errWebhook == nil {
				errWebhook = i.waitForWebhook(ctx)
			}
		})
	}
	if !i.options.WithoutSweeper {
		group.Go(func() { _, errSweeper = i.StartSweeper(ctx) })
	}
	group.Wait()
	return errors.Join(errWebhook, errSweeper)
}

// Stop ends all programs. What is in the cluster stays.
func (i *Installation) Stop() {
	i.stop()
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, program := range i.programs {
		if program.Delete != nil {
			program.Delete() // Another program may get its port.
		}
		program.Kill()
	}
}

// Programs are those that were started, in that order.
func (i *Installation) Programs() []*Program {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Clone(i.programs)
}

// poll waits until a condition is met; an error of it ends the wait.
func poll(ctx context.Context, condition wait.ConditionWithContextFunc) error {
	return wait.PollUntilContextCancel(ctx, pollInterval, true, condition)
}
