package collector

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"isolate.example.io/cmd/kubectl-isolate/internal/evidence"
	"isolate.example.io/cmd/kubectl-isolate/internal/pods"
	"isolate.example.io/quarantine"
)

// Collector collects the evidence of one pod.
type Collector struct {
	Config  *rest.Config
	Client  kubernetes.Interface
	Dynamic dynamic.Interface
	Mapper  meta.RESTMapper
	Archive *evidence.Writer

	// Progress is called with the name of each file, and returns a function to call when the
	// file is complete.
	Progress func(name string) (over func())
}

// Options are what to collect in addition to what is always collected.
type Options struct {
	// Exec is a container in which to run Command; its output becomes files.
	Exec    string
	Command []string

	// Copies are paths to copy from containers.
	Copies []Copy

	// Checkpoint asks the kubelet for a checkpoint of each running container.
	Checkpoint bool
}

// Copy is a path in a container.
type Copy struct{ Container, Path string }

// Collect collects the evidence. It returns an error only if it can't write the archive: the
// manifest lists what could not be read.
func (c *Collector) Collect(ctx context.Context, pod *corev1.Pod, options Options) error {
	status := quarantine.StatusOf(pod.Labels, pod.Annotations)
	steps := []func(context.Context, *corev1.Pod, *quarantine.Status) error{
		c.pod, c.events, c.logs, c.owners, c.node, c.selecting, c.metrics,
	}
	for _, step := range steps {
		if err := step(ctx, pod, &status); err != nil {
			return err
		}
	}
	if err := c.exec(ctx, pod, options); err != nil {
		return err
	}
	for _, copied := range options.Copies {
		if err := c.copy(ctx, pod, copied); err != nil {
			return err
		}
	}
	if options.Checkpoint {
		return c.checkpoints(ctx, pod)
	}
	return nil
}

// add adds one file, and reports the progress.
func (c *Collector) add(name, source string, write func(io.Writer) error) error {
	defer c.Progress(name)()
	return c.Archive.Add(name, source, write, reason)
}

// reason returns the API server's reason for an error.
func reason(err error) string {
	if known := apierrors.ReasonForError(err); known != metav1.StatusReasonUnknown {
		return string(known)
	}
	return "Error"
}

// object adds an object or a list as the API server returns it, without the values of
// environment variables.
func (c *Collector) object(name string, source string, read func() (any, error)) error {
	return c.add(name, source, func(to io.Writer) error {
		object, err := read()
		if err != nil {
			return err
		}
		evidence.Redact(object)
		encoder := json.NewEncoder(to)
		encoder.SetIndent("", "  ")
		encoder.SetEscapeHTML(false)
		return encoder.Encode(object)
	})
}

var (
	podsResource     = schema.GroupVersionResource{Version: "v1", Resource: "pods"}
	eventsResource   = schema.GroupVersionResource{Version: "v1", Resource: "events"}
	nodesResource    = schema.GroupVersionResource{Version: "v1", Resource: "nodes"}
	servicesResource = schema.GroupVersionResource{Version: "v1", Resource: "services"}
	slicesResource   = schema.GroupVersionResource{Group: "discovery.k8s.io", Version: "v1", Resource: "endpointslices"}
	policiesResource = schema.GroupVersionResource{Group: "networking.k8s.io", Version: "v1", Resource: "networkpolicies"}
	budgetsResource  = schema.GroupVersionResource{Group: "policy", Version: "v1", Resource: "poddisruptionbudgets"}
	metricsResource  = schema.GroupVersionResource{Group: "metrics.k8s.io", Version: "v1beta1", Resource: "pods"}
)

// get adds one object.
func (c *Collector) get(ctx context.Context, file string, resource schema.GroupVersionResource, namespace, name string) error {
	return c.object(file, path(resource, namespace, name), func() (any, error) {
		object, err := c.Dynamic.Resource(resource).Namespace(namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return nil, err
		}
		return object.Object, nil
	})
}

// list adds the objects of a namespace for which keep returns true; nil keeps all.
func (c *Collector) list(ctx context.Context, file string, resource schema.GroupVersionResource, namespace string,
	options metav1.ListOptions, keep func(object map[string]any) bool,
) error {
	return c.object(file, path(resource, namespace, ""), func() (any, error) {
		list, err := c.Dynamic.Resource(resource).Namespace(namespace).List(ctx, options)
		if err != nil {
			return nil, err
		}
		items := []any{}
		for i := range list.Items {
			if keep == nil || keep(list.Items[i].Object) {
				items = append(items, list.Items[i].Object)
			}
		}
		return map[string]any{"apiVersion": "v1", "kind": "List", "items": items}, nil
	})
}

// path returns the path of a resource on the API server.
func path(resource schema.GroupVersionResource, namespace, name string) string {
	root := "/apis/" + resource.Group + "/" + resource.Version
	if resource.Group == "" {
		root = "/api/" + resource.Version
	}
	if namespace != "" {
		root += "/namespaces/" + namespace
	}
	return strings.TrimSuffix(root+"/"+resource.Resource+"/"+name, "/")
}

// pod adds the pod, and its record in a form that people can read.
func (c *Collector) pod(ctx context.Context, pod *corev1.Pod, status *quarantine.Status) error {
	if err := c.get(ctx, "pod.json", podsResource, pod.Namespace, pod.Name); err != nil || status.State != quarantine.Quarantined {
		return err
	}
	return c.object("record.json", "annotation "+quarantine.RecordKey, func() (any, error) {
		return map[string]any{
			"quarantinedAt": status.QuarantinedAt, "expiresAt": status.ExpiresAt, "quarantinedBy": status.By,
			"reason": pod.Annotations[quarantine.ReasonKey], "hold": status.Held, "record": status.Record,
		}, nil
	})
}

// events adds the events of the pod and of its former controller.
func (c *Collector) events(ctx context.Context, pod *corev1.Pod, status *quarantine.Status) error {
	about := func(file, uid string) error {
		return c.list(ctx, file, eventsResource, pod.Namespace, metav1.ListOptions{FieldSelector: "involvedObject.uid=" + uid}, nil)
	}
	if err := about("events/pod.json", string(pod.UID)); err != nil {
		return err
	}
	if owner := controllerOf(pod, status); owner != nil {
		return about(fmt.Sprintf("events/%s-%s.json", strings.ToLower(owner.Kind), owner.Name), string(owner.UID))
	}
	return nil
}

// controllerOf returns the pod's controller, or the one that it had before its quarantine.
func controllerOf(pod *corev1.Pod, status *quarantine.Status) *metav1.OwnerReference {
	if former := pods.FormerController(&status.Record); former != nil {
		return former
	}
	return metav1.GetControllerOf(pod)
}

func (c *Collector) node(ctx context.Context, pod *corev1.Pod, _ *quarantine.Status) error {
	if pod.Spec.NodeName == "" {
		return nil
	}
	return c.get(ctx, "node.json", nodesResource, "", pod.Spec.NodeName)
}

func (c *Collector) metrics(ctx context.Context, pod *corev1.Pod, _ *quarantine.Status) error {
	return c.get(ctx, "metrics.json", metricsResource, pod.Namespace, pod.Name)
}
