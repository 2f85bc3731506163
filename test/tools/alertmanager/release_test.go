package alertmanager

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"isolate.example.io/quarantine"
	"isolate.example.io/test/framework/waiting"
)

// often has Alertmanager repeat the notifications of the quarantine route every second.
func often(t testing.TB) string {
	t.Helper()
	return replace(t, shipped(t),
		"    group_interval: 1m\n", "    group_interval: 1s\n    repeat_interval: 1s\n",
		"    timeout: 30s\n", "    timeout: 1s\n")
}

// Alertmanager repeats the notification for as long as the alert fires.
func TestAnAlertThatRepeatsAfterAReleaseDoesNothing(t *testing.T) {
	t.Parallel()
	n := newNamespace(t, 2)
	r, p := startReceiver(t, allow(n)...), newPeople(t)
	a := startAlertmanager(t, often(t), r, p)
	pod := n.first()
	start := time.Now().Add(-time.Minute)
	a.add(append(labels(pod), "--start="+start.Format(time.RFC3339))...)
	n.waitQuarantined(pod.Name)
	n.release(pod.Name)
	seen := r.results("Repeated")
	waiting.Until(t, func() bool { return r.results("Repeated") > seen+1 }, "the alert repeats")
	require.False(t, n.quarantined(pod.Name))
	require.Contains(t, n.pod(pod.Name).Annotations, quarantine.AlertsKey, "the memory outlives the release")
	require.Equal(t, 1, r.results("Quarantined"))

	// It is resolved, and fires again.
	a.add(append(labels(pod), "--start="+start.Format(time.RFC3339), "--end="+time.Now().Format(time.RFC3339))...)
	waiting.Until(t, func() bool {
		a.add(labels(pod)...)
		return r.results("Quarantined") == 2
	}, "the alert fires again")
	require.True(t, n.quarantined(pod.Name))
}

func TestTheMemoryIsOfOneAlert(t *testing.T) {
	t.Parallel()
	n := newNamespace(t, 2)
	r := startReceiver(t, allow(n)...)
	pod := n.first()
	first := firing("000000000000000a", labels(pod))
	answers := func(a alert, result string) {
		t.Helper()
		before := r.results(result)
		code, body := r.notify(a)
		require.Equal(t, http.StatusOK, code, body)
		require.Equal(t, before+1, r.results(result))
	}
	answers(first, "Quarantined")
	answers(first, "Repeated")
	second := firing("000000000000000b", labels(pod))
	answers(second, "AlreadyQuarantined")
	require.JSONEq(t, `{"000000000000000a":"2026-03-01T12:00:00Z","000000000000000b":"2026-03-01T12:00:00Z"}`, n.pod(pod.Name).Annotations[quarantine.AlertsKey])
	n.release(pod.Name)
	answers(first, "Repeated")
	answers(second, "Repeated")
	earlier := first
	earlier.StartsAt = startsAt.Add(-time.Minute)
	answers(earlier, "Repeated")
	require.False(t, n.quarantined(pod.Name))

	resolved := first
	resolved.Status, resolved.EndsAt = "resolved", startsAt.Add(time.Hour)
	answers(resolved, "Resolved")
	require.False(t, n.quarantined(pod.Name))
	again := first
	again.StartsAt = startsAt.Add(2 * time.Hour)
	answers(again, "Quarantined")
	answers(resolved, "Resolved")
	require.True(t, n.quarantined(pod.Name), "a resolved alert does not release")
}
