package selectors

import (
	"context"
	"net/http"
	"sync"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"

	"isolate.example.io/quarantine"
	"isolate.example.io/watchcache"
)

// Watcher keeps the index up to date, with one list and watch per kind.
type Watcher struct {
	// Changed, if set before Start, is called with the namespace of every selector that
	// appears or changes. It must not block.
	Changed func(namespace string)

	clients clients
	index   *Index
	kinds   []*watchcache.Cache
	custom  []*custom

	// heartbeat is nil in tests without an API server.
	heartbeat *watchcache.Heartbeat
}

// NewWatcher returns a watcher of the kinds that select pods.
func NewWatcher(config *rest.Config, client *http.Client) (*Watcher, error) {
	all, err := newClients(config, client)
	if err != nil {
		return nil, err
	}
	w := &Watcher{clients: all, index: NewIndex(), heartbeat: watchcache.NewHeartbeat(readMostRecent(all[corev1.GroupName]))}
	w.add("services", quarantine.KindService, &corev1.Service{})
	w.add("replicationcontrollers", quarantine.KindReplicationController, &corev1.ReplicationController{})
	w.add("replicasets", quarantine.KindReplicaSet, &appsv1.ReplicaSet{})
	w.add("statefulsets", quarantine.KindStatefulSet, &appsv1.StatefulSet{})
	w.add("daemonsets", quarantine.KindDaemonSet, &appsv1.DaemonSet{})
	w.add("jobs", quarantine.KindJob, &batchv1.Job{})
	w.add("poddisruptionbudgets", quarantine.KindPodDisruptionBudget, &policyv1.PodDisruptionBudget{})
	return w, nil
}

// WithNetworkPolicies adds the NetworkPolicies. It must be called before Start.
func (w *Watcher) WithNetworkPolicies() *Watcher {
	w.add("networkpolicies", quarantine.KindNetworkPolicy, &networkingv1.NetworkPolicy{})
	return w
}

// WithEndpointSlices adds the EndpointSlices that no selector fills. It must be called
// before Start.
func (w *Watcher) WithEndpointSlices() *Watcher {
	source := cache.NewFilteredListWatchFromClient(w.clients[discoveryv1.GroupName], "endpointslices", metav1.NamespaceAll,
		func(options *metav1.ListOptions) { options.LabelSelector = othersEndpointSlices })
	w.kinds = append(w.kinds, watchcache.New("endpointslices", source, &discoveryv1.EndpointSlice{}, w.index.slices))
	return w
}

// WithResources adds custom resources. It must be called before Start.
func (w *Watcher) WithResources(client dynamic.Interface, resources []Resource) *Watcher {
	for _, resource := range resources {
		w.custom = append(w.custom, newCustom(client, resource, w))
	}
	return w
}

// readMostRecent returns a function that reads the most recent state of the kind that matters
// most, and of that as little as possible.
func readMostRecent(core rest.Interface) func(context.Context) error {
	services := cache.NewListWatchFromClient(core, "services", metav1.NamespaceDefault,
		fields.OneTermEqualSelector(metav1.ObjectNameField, "kubernetes"))
	return func(ctx context.Context) error {
		_, err := services.ListWithContext(ctx, metav1.ListOptions{})
		return err
	}
}

func (w *Watcher) add(resource string, kind schema.GroupKind, object runtime.Object) {
	source := cache.NewListWatchFromClient(w.clients[kind.Group], resource, metav1.NamespaceAll, fields.Everything())
	w.kinds = append(w.kinds, watchcache.New(resource, source, object, &watched{kind: kind, watcher: w}))
}

// source is one thing that must be known: what an API server has of a resource, or that it
// is up to date.
type source interface {
	Run(ctx context.Context)
	Err() error
	Ready() error
	Wait(ctx context.Context) error
}

// each calls a function for each source, until it returns an error.
func (w *Watcher) each(do func(source) error) error {
	for _, k := range w.kinds {
		if err := do(k); err != nil {
			return err
		}
	}
	for _, c := range w.custom {
		if err := do(c); err != nil {
			return err
		}
	}
	if w.heartbeat != nil {
		return do(w.heartbeat)
	}
	return nil
}

// Start watches until the context ends. It implements controller-runtime's
// manager.Runnable.
func (w *Watcher) Start(ctx context.Context) error {
	var group sync.WaitGroup
	defer group.Wait()
	return w.each(func(s source) error {
		group.Go(func() { s.Run(ctx) })
		return nil
	})
}

// NeedLeaderElection implements controller-runtime's LeaderElectionRunnable:
// every replica answers admissions.
func (w *Watcher) NeedLeaderElection() bool { return false }

// Namespace returns the selectors of a namespace. It fails while a kind has not been
// listed, or could not be listed again, because the index may be incomplete.
func (w *Watcher) Namespace(name string) (quarantine.Selectors, error) {
	if err := w.complete(); err != nil {
		return nil, err
	}
	return w.index.Namespace(name)
}

// Ready implements controller-runtime's healthz.Checker.
func (w *Watcher) Ready(*http.Request) error { return w.each(source.Ready) }

// Wait waits until every kind is known, or the context ends.
func (w *Watcher) Wait(ctx context.Context) error {
	return w.each(func(s source) error { return s.Wait(ctx) })
}

func (w *Watcher) complete() error { return w.each(source.Err) }

// extracted is what the index keeps of an object, or why its selector could not be parsed.
type extracted struct {
	selecting *quarantine.SelectingObject // nil if the object selects nothing
	err       error
}

// set stores what was extracted from an object.
func (w *Watcher) set(kind schema.GroupKind, namespaceName, name string, e extracted) {
	switch {
	case e.err != nil:
		w.index.SetUnreadable(namespaceName, kind, name, e.err)
	case e.selecting == nil:
		w.index.Delete(namespaceName, kind, name)
	default:
		w.index.Set(namespaceName, e.selecting)
		if w.Changed != nil {
			w.Changed(namespaceName)
		}
	}
}

// watched is the store of one kind. It writes to the index, so nothing is stored twice.
type watched struct {
	kind    schema.GroupKind
	watcher *Watcher
}

// Extract implements [watchcache.Store].
func (k *watched) Extract(object metav1.Object) extracted {
	selecting, err := Extract(object)
	return extracted{selecting, err}
}

// Set implements [watchcache.Store].
func (k *watched) Set(namespaceName, name string, e extracted) {
	k.watcher.set(k.kind, namespaceName, name, e)
}

// Delete implements [watchcache.Store].
func (k *watched) Delete(namespaceName, name string) {
	k.watcher.index.Delete(namespaceName, k.kind, name)
}

// Retain implements [watchcache.Store].
func (k *watched) Retain(kept func(namespaceName, name string) bool) {
	k.watcher.index.retain(k.kind, kept)
}
