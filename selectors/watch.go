package selectors

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"

	"isolate.example.io/quarantine"
)

// Watcher keeps an index of what the cluster has, by one list and watch a kind.
type Watcher struct {
	// Changed, if set before Start, is told the namespace of every selector that
	// appears or changes. It must not wait.
	Changed func(namespace string)

	index *Index
	kinds []*watched
}

// NewWatcher returns a watcher of the kinds that bind pods.
func NewWatcher(client kubernetes.Interface) *Watcher {
	w := &Watcher{index: NewIndex()}
	core, apps, batch, policy := client.CoreV1().RESTClient(), client.AppsV1().RESTClient(),
		client.BatchV1().RESTClient(), client.PolicyV1().RESTClient()
	w.add(core, "services", quarantine.KindService, &corev1.Service{})
	w.add(core, "replicationcontrollers", quarantine.KindReplicationController, &corev1.ReplicationController{})
	w.add(apps, "replicasets", quarantine.KindReplicaSet, &appsv1.ReplicaSet{})
	w.add(apps, "statefulsets", quarantine.KindStatefulSet, &appsv1.StatefulSet{})
	w.add(apps, "daemonsets", quarantine.KindDaemonSet, &appsv1.DaemonSet{})
	w.add(batch, "jobs", quarantine.KindJob, &batchv1.Job{})
	w.add(policy, "poddisruptionbudgets", quarantine.KindPodDisruptionBudget, &policyv1.PodDisruptionBudget{})
	return w
}

func (w *Watcher) add(client rest.Interface, resource string, kind schema.GroupKind, object runtime.Object) {
	w.kinds = append(w.kinds, &watched{
		ListWatch: cache.NewListWatchFromClient(client, resource, metav1.NamespaceAll, fields.Everything()),
		resource:  resource,
		kind:      kind,
		object:    object,
		index:     w.index,
		err:       errors.New("not read yet"),
	})
}

// Start watches until the context ends. It implements controller-runtime's
// manager.Runnable.
func (w *Watcher) Start(ctx context.Context) error {
	var group sync.WaitGroup
	for _, k := range w.kinds {
		k.changed = w.Changed
		reflector := cache.NewReflectorWithOptions(k, k.object, k, cache.ReflectorOptions{Name: "selectors/" + k.resource})
		group.Go(func() { reflector.RunWithContext(ctx) })
	}
	group.Wait()
	return nil
}

// NeedLeaderElection implements controller-runtime's LeaderElectionRunnable:
// every replica answers admissions.
func (w *Watcher) NeedLeaderElection() bool { return false }

// Namespace returns the selectors of a namespace. It fails while a kind has not
// been read yet or could not be read again: what is known could be incomplete.
func (w *Watcher) Namespace(name string) (quarantine.Selectors, error) {
	if err := w.complete(); err != nil {
		return nil, err
	}
	return w.index.Namespace(name)
}

// Ready implements controller-runtime's healthz.Checker.
func (w *Watcher) Ready(*http.Request) error { return w.complete() }

func (w *Watcher) complete() error {
	for _, k := range w.kinds {
		if err := k.problem(); err != nil {
			return fmt.Errorf("reading %s: %w", k.resource, err)
		}
	}
	return nil
}

// watched is one kind: where it is read from, and the store that the reflector
// fills, which is the index itself, so nothing is kept twice.
type watched struct {
	*cache.ListWatch
	resource string
	kind     schema.GroupKind
	object   runtime.Object
	index    *Index
	changed  func(namespace string)

	mu sync.Mutex
	// err is why the index may lack objects of this kind: they were never read, or
	// not again after a watch was lost. Only a whole list clears it.
	err error
	// watchErr is why changes don't arrive. A watch that goes on from where it was
	// lost clears it, or a whole list.
	watchErr error
}

// problem is one error, for people to read in one line.
func (k *watched) problem() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return cmp.Or(k.err, k.watchErr)
}

// ListWithContext implements [cache.ListerWithContext].
func (k *watched) ListWithContext(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
	list, err := k.ListWatch.ListWithContext(ctx, options)
	if err != nil {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.err = err
	}
	return list, err
}

// WatchWithContext implements [cache.WatcherWithContext]. A watch that begins
// with the objects there are stands for a list: it is not whole when it opens, but
// when Replace is called.
func (k *watched) WatchWithContext(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
	stream, err := k.ListWatch.WatchWithContext(ctx, options)
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case options.SendInitialEvents == nil:
		k.watchErr = err
	case err != nil:
		k.err = err
	}
	return stream, err
}

// Transformer implements [cache.TransformingStore].
func (k *watched) Transformer() cache.TransformFunc { return strip }

// Add implements [cache.ReflectorStore].
func (k *watched) Add(object any) error {
	o, ok := object.(metav1.Object)
	if !ok {
		return fmt.Errorf("%T is no object", object)
	}
	switch s, err := extract(o); {
	case err != nil:
		k.index.SetUnreadable(o.GetNamespace(), k.kind, o.GetName(), err)
	case s == nil:
		k.index.Delete(o.GetNamespace(), k.kind, o.GetName())
	default:
		k.index.Set(o.GetNamespace(), s)
		if k.changed != nil {
			k.changed(o.GetNamespace())
		}
	}
	return nil
}

// Update implements [cache.ReflectorStore].
func (k *watched) Update(object any) error { return k.Add(object) }

// Delete implements [cache.ReflectorStore].
func (k *watched) Delete(object any) error {
	o, ok := object.(metav1.Object)
	if !ok {
		return fmt.Errorf("%T is no object", object)
	}
	k.index.Delete(o.GetNamespace(), k.kind, o.GetName())
	return nil
}

// Replace implements [cache.ReflectorStore]. From then on the kind is known.
func (k *watched) Replace(objects []any, _ string) error {
	type place struct{ namespace, name string }
	kept := make(map[place]bool, len(objects))
	for _, object := range objects {
		if err := k.Add(object); err != nil {
			return err
		}
		o, _ := object.(metav1.Object)
		kept[place{o.GetNamespace(), o.GetName()}] = true
	}
	k.index.retain(k.kind, func(namespaceName, name string) bool { return kept[place{namespaceName, name}] })
	k.mu.Lock()
	defer k.mu.Unlock()
	k.err, k.watchErr = nil, nil
	return nil
}

// Resync implements [cache.ReflectorStore]; there is nothing to do.
func (k *watched) Resync() error { return nil }
