package selectors

import (
	"cmp"
	"slices"
	"sync"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"isolate.example.io/quarantine"
)

// othersEndpointSlices is a label selector of the EndpointSlices that no selector fills.
// They include those of the mirroring controller, which copies Endpoints that others write
// for Services without a selector.
const othersEndpointSlices = discoveryv1.LabelManagedBy + "!=endpointslice-controller.k8s.io"

// endpointSlices is an index of EndpointSlices by the pods that they name.
type endpointSlices struct {
	mu    sync.RWMutex
	pods  map[types.NamespacedName][]types.NamespacedName // by slice
	byPod map[types.NamespacedName]map[types.NamespacedName]target
}

// target is an EndpointSlice that names a pod by this UID, or by none.
type target struct {
	slice *quarantine.EndpointSlice
	uid   types.UID
}

func newEndpointSlices() *endpointSlices {
	return &endpointSlices{
		pods:  map[types.NamespacedName][]types.NamespacedName{},
		byPod: map[types.NamespacedName]map[types.NamespacedName]target{},
	}
}

// naming returns the EndpointSlices that name a pod, in the order of their names.
func (e *endpointSlices) naming(pod types.NamespacedName, uid types.UID) []*quarantine.EndpointSlice {
	e.mu.RLock()
	defer e.mu.RUnlock()
	var found []*quarantine.EndpointSlice
	for _, t := range e.byPod[pod] {
		if t.uid == "" || uid == "" || t.uid == uid {
			found = append(found, t.slice)
		}
	}
	slices.SortFunc(found, func(a, b *quarantine.EndpointSlice) int { return cmp.Compare(a.Name, b.Name) })
	return found
}

// namedPods is an EndpointSlice with the pods that it names.
type namedPods struct {
	slice *quarantine.EndpointSlice
	pods  []namedPod
}

type namedPod struct {
	name types.NamespacedName
	uid  types.UID
}

// Extract implements [watchcache.Store].
func (e *endpointSlices) Extract(object metav1.Object) namedPods {
	slice, ok := object.(*discoveryv1.EndpointSlice)
	if !ok {
		return namedPods{}
	}
	named := namedPods{slice: &quarantine.EndpointSlice{
		Name: slice.Name, Service: slice.Labels[discoveryv1.LabelServiceName], ManagedBy: slice.Labels[discoveryv1.LabelManagedBy],
	}}
	for _, endpoint := range slice.Endpoints {
		if ref := endpoint.TargetRef; ref != nil && ref.Kind == "Pod" {
			pod := types.NamespacedName{Namespace: cmp.Or(ref.Namespace, slice.Namespace), Name: ref.Name}
			named.pods = append(named.pods, namedPod{pod, ref.UID})
		}
	}
	return named
}

// Set implements [watchcache.Store].
func (e *endpointSlices) Set(namespace, name string, named namedPods) {
	slice := types.NamespacedName{Namespace: namespace, Name: name}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.forget(slice)
	for _, pod := range named.pods {
		if e.byPod[pod.name] == nil {
			e.byPod[pod.name] = map[types.NamespacedName]target{}
		}
		e.byPod[pod.name][slice] = target{named.slice, pod.uid}
		e.pods[slice] = append(e.pods[slice], pod.name)
	}
}

// Delete implements [watchcache.Store].
func (e *endpointSlices) Delete(namespace, name string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.forget(types.NamespacedName{Namespace: namespace, Name: name})
}

// Retain implements [watchcache.Store].
func (e *endpointSlices) Retain(kept func(namespace, name string) bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for name := range e.pods {
		if !kept(name.Namespace, name.Name) {
			e.forget(name)
		}
	}
}

func (e *endpointSlices) forget(slice types.NamespacedName) {
	for _, pod := range e.pods[slice] {
		delete(e.byPod[pod], slice)
		if len(e.byPod[pod]) == 0 {
			delete(e.byPod, pod)
		}
	}
	delete(e.pods, slice)
}
