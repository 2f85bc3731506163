package sweeper

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"
)

// followed remembers the pods that are quarantined. One that leaves the cache was
// released, or deleted; the cache doesn't tell which, and the API server has to be
// asked. Not so for those that the sweeper deletes itself.
type followed struct {
	mu   sync.Mutex
	pods map[types.NamespacedName]following
}

type following struct {
	uid      types.UID
	deleting bool
}

func newFollowed() *followed {
	return &followed{pods: map[types.NamespacedName]following{}}
}

// note follows a pod from now on.
func (f *followed) note(name types.NamespacedName, uid types.UID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.pods[name].uid != uid {
		f.pods[name] = following{uid: uid}
	}
}

// find is the UID of the pod that is followed by that name, empty if none is, and
// whether the sweeper is deleting it.
func (f *followed) find(name types.NamespacedName) (uid types.UID, deleting bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.pods[name].uid, f.pods[name].deleting
}

func (f *followed) forget(name types.NamespacedName) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.pods, name)
}

// deleting notes that the sweeper is deleting a pod, until ended is called, which
// says whether the pod is gone.
func (f *followed) deleting(name types.NamespacedName, uid types.UID) (ended func(gone bool)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pods[name] = following{uid: uid, deleting: true}
	return func(gone bool) {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.pods[name].uid != uid {
			return // Another one of that name.
		}
		if gone {
			delete(f.pods, name)
		} else {
			f.pods[name] = following{uid: uid}
		}
	}
}
