package podevents

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"isolate.example.io/quarantine"
	"isolate.example.io/sweeper/deletions"
	"isolate.example.io/sweeper/events"
	"isolate.example.io/sweeper/quarantinedpods"
)

const (
	// batchInterval is how long pods are collected, to be checked together.
	batchInterval = time.Second
	// maxPending bounds the pods that wait to be checked, some 2 MiB.
	maxPending = 10_000
	// maxSingleReads is how many pods of a namespace are read one by one. If there are more,
	// all pods of the namespace are listed.
	maxSingleReads = 20
	// pageSize bounds what is in memory at a time: metadata can have 256 KiB of
	// annotations.
	pageSize = 100
	// readTimeout bounds one request, and the wait for deletions before it.
	readTimeout = 10 * time.Second
)

// releases is the release detector. A pod that leaves the cache was released or deleted;
// the cache can't tell which, and only the API server knows. It does not ask for pods
// that isolate deleted or that were terminating. It asks for the others in batches, one
// request at a time, while no deletion is in flight.
type releases struct {
	live      client.Reader
	clock     clock.Clock
	deletions *deletions.Tracker
	events    events.Publisher
	unchecked prometheus.Counter

	added chan struct{}

	mu      sync.Mutex
	pending map[types.UID]types.NamespacedName
}

func newReleases(live client.Reader, options Options) (*releases, error) {
	unchecked, err := newUncheckedCounter(options.Metrics)
	return &releases{
		live: live, clock: options.Elapsed, deletions: options.Deletions, events: options.Events, unchecked: unchecked,
		added: make(chan struct{}, 1), pending: map[types.UID]types.NamespacedName{},
	}, err
}

// gone records that a pod left the cache. It never blocks.
func (r *releases) gone(pod *metav1.PartialObjectMetadata) {
	if pod.DeletionTimestamp == nil && r.deletions.StateOf(pod.UID) != deletions.Accepted {
		r.add(pod.UID, client.ObjectKeyFromObject(pod))
	}
}

func (r *releases) add(uid types.UID, name types.NamespacedName) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.pending) >= maxPending {
		r.unchecked.Inc()
		return
	}
	r.pending[uid] = name
	select {
	case r.added <- struct{}{}:
	default:
	}
}

// Start implements [sigs.k8s.io/controller-runtime/pkg/manager.Runnable].
func (r *releases) Start(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-r.added:
		}
		select {
		case <-ctx.Done():
			return nil
		case <-r.clock.After(batchInterval):
		}
		r.checkAll(ctx)
	}
}

// checkAll checks the pending pods, by namespace. Those that could not be checked are
// pending again.
func (r *releases) checkAll(ctx context.Context) {
	for namespace, pods := range r.take() {
		for uid, name := range pods {
			switch r.deletions.StateOf(uid) {
			case deletions.Accepted:
				delete(pods, uid)
			case deletions.InFlight: // Its response says whether isolate deleted it.
				delete(pods, uid)
				r.add(uid, types.NamespacedName{Namespace: namespace, Name: name})
			case deletions.None:
			}
		}
		if len(pods) == 0 {
			continue
		}
		if err := r.check(ctx, namespace, pods); err != nil && ctx.Err() == nil {
			log.FromContext(ctx).Error(err, logUnchecked, "namespace", namespace, "pods", len(pods))
			for uid, name := range pods {
				r.add(uid, types.NamespacedName{Namespace: namespace, Name: name})
			}
		}
	}
}

// take returns the pending pods, UID to name, of each namespace.
func (r *releases) take() map[string]map[types.UID]string {
	r.mu.Lock()
	defer r.mu.Unlock()
	namespaces := map[string]map[types.UID]string{}
	for uid, name := range r.pending {
		if namespaces[name.Namespace] == nil {
			namespaces[name.Namespace] = map[types.UID]string{}
		}
		namespaces[name.Namespace][uid] = name.Name
	}
	clear(r.pending)
	return namespaces
}

// check publishes which of the pods were released, and removes the pods that it has checked.
func (r *releases) check(ctx context.Context, namespace string, pods map[types.UID]string) error {
	if len(pods) > maxSingleReads {
		return r.list(ctx, pods, client.InNamespace(namespace))
	}
	for uid, name := range pods {
		if err := r.list(ctx, pods, client.InNamespace(namespace), client.MatchingFields{"metadata.name": name}); err != nil {
			return err
		}
		delete(pods, uid)
	}
	return nil
}

// list reads pods, page by page, and publishes which of the given ones were released. It
// lists single pods too: the sweeper may list pods and need not be allowed to get them.
func (r *releases) list(ctx context.Context, pods map[types.UID]string, options ...client.ListOption) error {
	for page := ""; ; {
		r.deletions.Wait(ctx, readTimeout)
		request, cancel := context.WithTimeout(ctx, readTimeout)
		found := quarantinedpods.NewList()
		err := r.live.List(request, found, append(options, client.Limit(pageSize), client.Continue(page))...)
		cancel()
		if err != nil {
			return fmt.Errorf("listing pods that are no longer quarantined: %w", err)
		}
		for i := range found.Items {
			pod := &found.Items[i]
			free := quarantine.StatusOf(pod.Labels, pod.Annotations).State == quarantine.Free
			if _, left := pods[pod.UID]; left && free && pod.DeletionTimestamp == nil {
				r.events.Publish(releasedEvent(pod))
			}
		}
		if page = found.Continue; page == "" {
			return nil
		}
	}
}
