package sweeper

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"isolate.example.io/quarantine"
)

const (
	// page bounds what is held at a time: metadata can have 256 KiB of annotations.
	page = 100
	// pageTimeout bounds one request, pageRetry is when one that failed is made again.
	pageTimeout, pageRetry = 30 * time.Second, 5 * time.Second
)

// ignored looks once, when a leader starts, through all pods for what the cache of
// quarantined ones can't show: triggers that were set while isolate was not
// installed, and records without the label. It tells of them and does nothing else.
type ignored struct {
	live   client.Reader
	clock  clock.Clock
	events *publisher

	mu    sync.Mutex
	found findings
	done  bool
}

// findings are how many pods of which kind there were.
type findings struct {
	triggers, unlabelled int
}

// Start implements [sigs.k8s.io/controller-runtime/pkg/manager.Runnable].
func (i *ignored) Start(ctx context.Context) error {
	var found findings
	from := ""
	for {
		next, err := i.look(ctx, from, &found)
		switch {
		case err != nil:
			log.FromContext(ctx).Error(err, logUnlooked)
			select {
			case <-ctx.Done():
				return nil
			case <-i.clock.After(pageRetry):
			}
		case next == "":
			i.end(found)
			log.FromContext(ctx).Info(logLooked, "ignoredTriggers", found.triggers, "unlabelledRecords", found.unlabelled)
			return nil
		default:
			from = next
		}
	}
}

// look looks through one page, and returns where the next begins.
func (i *ignored) look(ctx context.Context, from string, found *findings) (next string, err error) {
	ctx, cancel := context.WithTimeout(ctx, pageTimeout)
	defer cancel()
	pods := newPodList()
	if err := i.live.List(ctx, pods, client.Limit(page), client.Continue(from)); err != nil {
		if token := goesOn(err); token != "" {
			return token, nil
		}
		return "", fmt.Errorf("looking through all pods for triggers that were ignored: %w", err)
	}
	for n := range pods.Items {
		i.judge(&pods.Items[n], found)
	}
	return pods.Continue, nil
}

// goesOn is where to go on when a page was asked for so late that the state it
// belongs to is gone: in a newer one, behind the pods that were seen.
func goesOn(err error) string {
	status := apierrors.APIStatus(nil)
	if apierrors.IsResourceExpired(err) && errors.As(err, &status) {
		return status.Status().Continue
	}
	return ""
}

func (i *ignored) judge(pod *metav1.PartialObjectMetadata, found *findings) {
	if pod.DeletionTimestamp != nil || pod.Labels[quarantine.QuarantinedLabel] == quarantine.QuarantinedValue {
		return // The cache has those with the label.
	}
	status := quarantine.StatusOf(pod.Labels, pod.Annotations)
	switch {
	case status.State == quarantine.Damaged:
		found.unlabelled++
		i.events.publish(badRecord(pod, status.Problem))
	case status.State == quarantine.Free && pod.Annotations[quarantine.TriggerKey] == quarantine.True:
		found.triggers++
		i.events.publish(event{
			regarding: podReference(pod), reason: ReasonIgnored, warning: true, note: noteIgnored(pod),
		})
	}
}

func (i *ignored) end(found findings) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.found, i.done = found, true
}

// result is what was found; false before all pods were looked through.
func (i *ignored) result() (findings, bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.found, i.done
}
