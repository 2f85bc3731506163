//go:build linux

package node

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"isolate.example.io/quarantine"
)

// expire quarantines a pod for a second, and returns what it logged until its end and
// how long it took to end once it was being deleted.
func (n *namespace) expire(pod string) (log string, took time.Duration) {
	n.Helper()
	follow := n.command(n.Context(), "logs", "--follow", pod)
	out := &strings.Builder{}
	follow.Stdout = out
	require.NoError(n, follow.Start())
	var deleted time.Time
	n.quarantine(pod, quarantine.TTLKey+"=1s")
	n.until(func() bool {
		current, err := admin.CoreV1().Pods(n.name).Get(n.Context(), pod, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return true
		}
		require.NoError(n, err)
		if current.DeletionTimestamp != nil && deleted.IsZero() {
			deleted = time.Now()
		}
		return false
	}, "the expired pod is gone")
	took = time.Since(deleted)
	require.False(n, deleted.IsZero(), "the pod ended in its grace period")
	require.NoError(n, follow.Wait())
	return out.String(), took
}

// reported waits until an event with this reason names the pod.
func (n *namespace) reported(reason, pod string) {
	n.Helper()
	n.until(func() bool {
		return strings.Contains(n.kubectl("events", "--for=pod/"+pod), reason)
	}, "there is an event %s of pod %s", reason, pod)
}

func TestAnExpiredPodGetsSIGTERM(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	pod := n.deploy(1)[0].Name
	log, took := n.expire(pod)
	require.Contains(t, log, "stopping on SIGTERM")
	n.reported("Expired", pod)
	t.Logf("the pod was gone %s after its deletion", took.Round(time.Millisecond))
}

func TestAnExpiredPodThatIgnoresSIGTERMIsKilledAfterItsGracePeriod(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	pod := n.deploy(1, ignoringSIGTERM)[0].Name
	log, took := n.expire(pod)
	require.Contains(t, log, "ignoring SIGTERM")
	require.NotContains(t, log, "stopping on SIGTERM")
	n.reported("Expired", pod)
	t.Logf("the pod was gone %s after its deletion, with a grace period of two seconds", took.Round(time.Millisecond))
}
