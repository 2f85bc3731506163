package budget

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/util/flowcontrol"
	"k8s.io/utils/clock"
)

const (
	// confirmTimeout bounds how long a request over budget waits for the pods before it to
	// be confirmed. The API server waits for five seconds.
	confirmTimeout = 3 * time.Second

	// confirmReads is how many pods are read at the same time.
	confirmReads = 16

	// readsPerSecond and readsBurst bound what forged reviews can cost the API server. The
	// burst has room for all writes that an API server has under way.
	readsPerSecond, readsBurst = 100, 600
)

// exists reports whether the API server has a pod.
type exists func(ctx context.Context, namespace, name string, uid types.UID) (bool, error)

// liveReader returns an [exists] that reads the pod's metadata. It is a list of one object:
// the webhook may list pods and need not be allowed to get them.
func liveReader(client metadata.Interface) exists {
	return func(ctx context.Context, namespace, name string, uid types.UID) (bool, error) {
		pods, err := client.Resource(podResource).Namespace(namespace).List(ctx, metav1.ListOptions{
			FieldSelector: fields.OneTermEqualSelector(metav1.ObjectNameField, name).String(),
		})
		if err != nil {
			return false, err
		}
		for i := range pods.Items {
			if pods.Items[i].UID == uid {
				return true, nil
			}
		}
		return false, nil
	}
}

// confirmer confirms assumed pods by a live read.
type confirmer struct {
	exists  exists
	limiter flowcontrol.PassiveRateLimiter
	running chan struct{} // One at a time: those that wait find the pods confirmed.
}

func newConfirmer(e exists, clk clock.PassiveClock) confirmer {
	return confirmer{e, flowcontrol.NewTokenBucketPassiveRateLimiterWithClock(readsPerSecond, readsBurst, clk), make(chan struct{}, 1)}
}

// confirm reads the unconfirmed pods of a namespace. It forgets those that the API server
// does not have. Those that it could not read stay unconfirmed.
func (t *Tracker) confirm(ctx context.Context, namespace string) {
	ctx, cancel := context.WithTimeout(ctx, confirmTimeout)
	defer cancel()
	select {
	case t.confirmer.running <- struct{}{}:
		defer func() { <-t.confirmer.running }()
	case <-ctx.Done():
		return
	}
	if !t.confirmer.limiter.TryAccept() {
		return
	}
	t.mu.Lock()
	pods := t.assumed.doubtful(namespace)
	t.mu.Unlock()
	var reads errgroup.Group
	reads.SetLimit(confirmReads)
	for i, pod := range pods {
		if ctx.Err() != nil || i > 0 && !t.confirmer.limiter.TryAccept() {
			break
		}
		reads.Go(func() error {
			found, err := t.confirmer.exists(ctx, pod.namespace, pod.name, pod.uid)
			if err == nil {
				t.confirmed(pod, found)
			}
			return nil
		})
	}
	_ = reads.Wait() // No read returns an error.
}

// confirmed records whether the API server has a pod, unless another pod has been assumed in
// its place meanwhile.
func (t *Tracker) confirmed(read assumedPod, found bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	pod := t.assumed.get(read.uid)
	switch {
	case pod == nil || !pod.is(&read):
	case found:
		t.assumed.confirm(pod)
	default:
		t.assumed.remove(pod.uid)
		t.unstored.WithLabelValues(string(CauseNoSuchPod)).Inc()
	}
}
