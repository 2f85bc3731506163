package quarantine

import (
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// endsAfter sets the pod's activeDeadlineSeconds. It has run for a minute.
func endsAfter(seconds int64) func(*Pod) {
	return func(p *Pod) {
		p.Spec.ActiveDeadlineSeconds = &seconds
		p.Status.StartTime = new(now.Add(-time.Minute).Truncate(time.Second))
	}
}

func TestTheDeadlineIsNamedIfItComesFirst(t *testing.T) {
	const at1423 = "The kubelet stops it at 2026-03-14T15:23:26Z, its activeDeadlineSeconds; hold and extend do not change that."
	const in2d = "The kubelet stops it at 2026-03-16T15:08:26Z, its activeDeadlineSeconds; hold and extend do not change that."
	none := func(*Pod) {}
	for _, tt := range []struct {
		name    string
		pod     func(*Pod)
		request []func(*Metadata)
		want    string
	}{
		{"before it expires", endsAfter(900), []func(*Metadata){trigger}, at1423},
		{"after it expires", endsAfter(2 * 86_400), []func(*Metadata){trigger}, ""},
		{"while it is held", endsAfter(2 * 86_400), []func(*Metadata){trigger, annotation(HoldKey, True)}, in2d},
		{"of a pod that has not started", func(p *Pod) { endsAfter(900)(p); p.Status.StartTime = nil }, []func(*Metadata){trigger}, ""},
		{"of a finished pod", func(p *Pod) { endsAfter(900)(p); p.Status.Phase = corev1.PodFailed }, []func(*Metadata){trigger}, ""},
		{"of a pod that has none", none, []func(*Metadata){trigger}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			config := DefaultConfig()
			before := pod()
			tt.pod(before)
			if got := deadlines(config.Decide(update(incident(), before, tt.request...))); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
	for _, tt := range []struct {
		name    string
		request func(*Metadata)
		want    string
	}{
		{"extended beyond it", annotation(ExtendKey, "7d"), in2d},
		{"held", annotation(HoldKey, True), in2d},
		{"extended, and it comes later", annotation(ExtendKey, "25h"), ""},
		{"a write that doesn't touch the expiry", annotation(ReasonKey, "logins hang"), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			config := DefaultConfig()
			req := update(incident(), pod(), trigger)
			quarantined := &Pod{Metadata: *apply(t, req.New, config.Decide(req)), Status: PodState{Phase: corev1.PodRunning}}
			endsAfter(2 * 86_400)(quarantined)
			if got := deadlines(config.Decide(update(incident(), quarantined, tt.request))); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

func deadlines(d Decision) string {
	i := slices.IndexFunc(d.Warnings, func(w string) bool { return strings.Contains(w, "activeDeadlineSeconds") })
	if i < 0 {
		return ""
	}
	return d.Warnings[i]
}
