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

// Strip implements [watchcache.Store].
func (e *endpointSlices) Strip(object metav1.Object) {
	object.SetManagedFields(nil)
	object.SetAnnotations(nil)
	if slice, ok := object.(*discoveryv1.EndpointSlice); ok {
		slice.Ports = nil
	}
}

// Set implements [watchcache.Store].
func (e *endpointSlices) Set(object metav1.Object) {
	slice, ok := object.(*discoveryv1.EndpointSlice)
	if !ok {
		return
	}
	name := nameOf(slice)
	known := &quarantine.EndpointSlice{
		Name: slice.Name, Service: slice.Labels[discoveryv1.LabelServiceName], ManagedBy: slice.Labels[discoveryv1.LabelManagedBy],
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.forget(name)
	for _, endpoint := range slice.Endpoints {
		ref := endpoint.TargetRef
		if ref == nil || ref.Kind != "Pod" {
			continue
		}
		pod := types.NamespacedName{Namespace: cmp.Or(ref.Namespace, slice.Namespace), Name: ref.Name}
		if e.byPod[pod] == nil {
			e.byPod[pod] = map[types.NamespacedName]target{}
		}
		e.byPod[pod][name] = target{known, ref.UID}
		e.pods[name] = append(e.pods[name], pod)
	}
}

// Delete implements [watchcache.Store].
func (e *endpointSlices) Delete(object metav1.Object) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.forget(nameOf(object))
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

func nameOf(object metav1.Object) types.NamespacedName {
	return types.NamespacedName{Namespace: object.GetNamespace(), Name: object.GetName()}
}
