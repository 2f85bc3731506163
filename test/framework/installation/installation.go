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

	// installTimeout bounds the installation, which takes three seconds on two idle cores.
	installTimeout = 2 * time.Minute
	pollInterval   = 20 * time.Millisecond
)

// Options configure an installation. All but Dir and Programs are optional.
type Options struct {
	// Dir is the folder for the replicas' logs, keys and kubeconfigs.
	Dir string

	// Programs is the folder with isolate's programs, see Build.
	Programs string

	// Kustomization is the kustomization to apply, overlays/default by default.
	Kustomization string

	// Applied reports that the caller has installed the manifests already, by kubectl or by
	// Helm. The programs get the flags of the Deployments in the cluster.
	Applied bool

	// WebhookFlags and SweeperFlags are appended to the shipped flags, so they override.
	WebhookFlags, SweeperFlags []string

	// ProbePeriod is the time between two readiness probes of a webhook replica, 100 ms
	// by default. ProbeLag is the time until the result reaches the nodes.
	ProbePeriod, ProbeLag time.Duration

	// MountDelays are the delays, one per replica, until a changed Secret reaches the
	// webhook; none by default. A kubelet takes a minute and more.
	MountDelays []time.Duration

	// Link returns the addresses at which the replicas reach the API server, and it them.
	// Replicas are named like their folders, such as webhook-1.
	Link controlplane.Link

	// WithoutWebhook and WithoutSweeper don't start the program; the caller does.
	WithoutWebhook, WithoutSweeper bool
}

// Installation is a running installation of isolate.
type Installation struct {
	options      Options
	controlPlane *controlplane.ControlPlane
	client       client.Client

	// running is cancelled by Stop.
	running context.Context
	stop    context.CancelFunc

	// shippedFlags are the args in the Deployments, by container.
	shippedFlags map[string][]string

	mu       sync.Mutex
	started  map[string]int
	programs []*Program
}

// Install installs isolate and returns once its webhook and policies are effective.
// If it fails, it leaves no program running.
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
	objects, err := i.objects(ctx)
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

// objects returns the objects of the kustomization, or the Deployments that are installed.
func (i *Installation) objects(ctx context.Context) ([]*unstructured.Unstructured, error) {
	if i.options.Applied {
		list := &unstructured.UnstructuredList{}
		list.SetAPIVersion("apps/v1")
		list.SetKind("DeploymentList")
		if err := i.client.List(ctx, list, client.InNamespace(Namespace)); err != nil {
			return nil, err
		}
		var installed []*unstructured.Unstructured
		for n := range list.Items {
			installed = append(installed, &list.Items[n])
		}
		return installed, nil
	}
	root, err := controlplane.Root()
	if err != nil {
		return nil, err
	}
	return manifests.Build(ctx, i.controlPlane.Kubectl(), filepath.Join(root, "manifests"), i.options.Kustomization)
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

// Stop kills all programs. It deletes nothing from the cluster.
func (i *Installation) Stop() {
	i.stop()
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, program := range i.programs {
		if program.Delete != nil {
			program.Delete() // Another program may reuse its port.
		}
		program.Kill()
	}
}

// Programs returns the started programs in start order.
func (i *Installation) Programs() []*Program {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Clone(i.programs)
}

// poll waits until the condition holds. An error of the condition ends the wait.
func poll(ctx context.Context, condition wait.ConditionWithContextFunc) error {
	return wait.PollUntilContextCancel(ctx, pollInterval, true, condition)
}
