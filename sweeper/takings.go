package sweeper

import (
	"slices"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// takings remember what each quarantined pod was taken out of. Not every leak is
// found by the leak guard: the write of a controller that adopts a pod passes the
// webhook, which takes the pod out in it. The record then names one more.
type takings struct {
	mu   sync.Mutex
	pods map[types.NamespacedName]taking
}

type taking struct {
	uid   types.UID
	letGo []string
}

// news names what the pod was taken out of since it was last noted: a record that is
// kept only grows. What it is first seen with is the quarantine itself.
func (t *takings) news(pod *metav1.PartialObjectMetadata, letGo []string) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.pods == nil {
		t.pods = map[types.NamespacedName]taking{}
	}
	name := client.ObjectKeyFromObject(pod)
	last, known := t.pods[name]
	t.pods[name] = taking{uid: pod.UID, letGo: letGo}
	had := len(last.letGo)
	if !known || last.uid != pod.UID || len(letGo) < had || !slices.Equal(letGo[:had], last.letGo) {
		return nil
	}
	return letGo[had:]
}

func (t *takings) forget(pod types.NamespacedName) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.pods, pod)
}
