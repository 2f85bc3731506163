package budget

import (
	"container/list"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

const (
	// assumedFor is how long an admitted pod counts before its quarantine shows up in the
	// watch. Longer would let writes that were refused later block others; shorter would
	// miss writes that other webhooks delay.
	assumedFor = 5 * time.Second

	// maxAssumed bounds the memory for admitted pods, some 4 MiB. An API server has some
	// hundred writes under way at a time; more come from others.
	maxAssumed = 4096

	// maxUIDLength bounds the UID of a controller. Kubernetes' UIDs have 36 bytes.
	maxUIDLength = 128
)

// assumedPod is a pod that was admitted and that the watch does not show yet.
type assumedPod struct {
	entry
	uid  types.UID
	name string

	// at is when the pod was admitted, by this machine's clock. stamp is the quarantined-at
	// of the admission.
	at, stamp time.Time

	// confirmed means that the API server has the pod. Anyone who reaches the webhook's
	// port can send a review of a pod that does not exist.
	confirmed bool
}

// is reports whether both are of the same pod, as far as reviews tell. One that names another
// namespace for a UID is of no pod that was confirmed.
func (p *assumedPod) is(other *assumedPod) bool {
	return p.entry == other.entry && p.name == other.name && p.uid == other.uid
}

// assumedPods are the pods that were admitted a moment ago. It counts those that are not
// stored: an assumed pod may also be stored, if it was quarantined and released before.
type assumedPods struct {
	pods  map[types.UID]*list.Element
	order *list.List // of *assumedPod, the oldest first

	confirmed, unconfirmed counter
}

func newAssumedPods() assumedPods {
	return assumedPods{pods: map[types.UID]*list.Element{}, order: list.New(), confirmed: newCounter(), unconfirmed: newCounter()}
}

func (a *assumedPods) get(uid types.UID) *assumedPod {
	if element := a.pods[uid]; element != nil {
		return element.Value.(*assumedPod)
	}
	return nil
}

// add assumes a pod, in place of its earlier admission.
func (a *assumedPods) add(pod assumedPod) {
	if len(pod.controller) > maxUIDLength {
		pod.controller = "" // No controller has this UID.
	}
	if earlier := a.get(pod.uid); earlier != nil {
		pod.confirmed = earlier.confirmed && earlier.is(&pod)
		a.remove(pod.uid)
	}
	a.pods[pod.uid] = a.order.PushBack(&pod)
}

// count counts the pod until it is stored or removed.
func (a *assumedPods) count(pod *assumedPod) {
	if pod.confirmed {
		a.confirmed.add(pod.uid, pod.entry)
	} else {
		a.unconfirmed.add(pod.uid, pod.entry)
	}
}

// uncount stops counting the pod, because it is stored.
func (a *assumedPods) uncount(uid types.UID) {
	a.confirmed.remove(uid)
	a.unconfirmed.remove(uid)
}

func (a *assumedPods) remove(uid types.UID) {
	if element := a.pods[uid]; element != nil {
		a.order.Remove(element)
		delete(a.pods, uid)
	}
	a.uncount(uid)
}

// confirm records that the API server has the pod.
func (a *assumedPods) confirm(pod *assumedPod) {
	if pod.confirmed {
		return
	}
	pod.confirmed = true
	if _, counted := a.unconfirmed.entries[pod.uid]; counted {
		a.unconfirmed.remove(pod.uid)
		a.count(pod)
	}
}

// oldest returns the pod that was assumed first, or nil if there is none.
func (a *assumedPods) oldest() *assumedPod {
	if element := a.order.Front(); element != nil {
		return element.Value.(*assumedPod)
	}
	return nil
}

// doubtful returns the unconfirmed pods that count in a namespace.
func (a *assumedPods) doubtful(namespace string) []assumedPod {
	if a.unconfirmed.namespaces[namespace] == nil {
		return nil
	}
	var pods []assumedPod
	for uid, entry := range a.unconfirmed.entries {
		if pod := a.get(uid); pod != nil && entry.namespace == namespace {
			pods = append(pods, *pod)
		}
	}
	return pods
}
