package faults

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"isolate.example.io/quarantine"
)

// stampMargin is how far a stamp may be from the time of its write. It is longer than a request
// to the API server under faults, by which the webhook measures the time.
const stampMargin = 15 * time.Second

// requireStamped requires that a quarantine was stamped by the API server's clock, which is
// that of this machine.
func (s *scenario) requireStamped(stored *corev1.Pod, sent time.Time) {
	if stored.DeletionTimestamp != nil {
		return // Its ReplicaSet was faster: row T3, and requireIsolated.
	}
	at := quarantine.StatusOf(stored.Labels, stored.Annotations).QuarantinedAt
	if at.Before(sent.Add(-stampMargin)) || at.After(time.Now().Add(stampMargin)) {
		s.wrong("pod %s, quarantined at %s, was stamped with %s", stored.Name, sent, at)
	}
}

// The clocks of both programs are behind, then ahead, and replicas are started with a clock
// that is wrong. All invariants hold meanwhile: above all, no pod is deleted before it expires
// by the API server's clock, and each is deleted soon afterwards.
func TestWrongClocksNeitherStampNorDelete(t *testing.T) {
	w := newWorld(t)
	defer w.close()
	s := w.scenario(t, 1)
	defer func() {
		if t.Failed() {
			w.keep(t, s.seed)
		}
	}()
	const day, lasts = 24 * time.Hour, 5 * time.Second
	both := func(ahead time.Duration, within *step) *step {
		return &step{fault: settingClock("webhook", ahead), within: &step{fault: settingClock("sweeper", ahead), lasts: lasts, within: within}}
	}
	restarted := &step{fault: killingOne("webhook", 0), within: &step{fault: killingOne("sweeper", 0), lasts: 2 * lasts}}
	s.run([]*step{both(-day, nil), both(day, nil), both(-day, restarted), both(day, restarted)})
}
