package policies

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"isolate.example.io/quarantine"
)

func TestDeletePermission(t *testing.T) {
	s := startAPIServer(t)
	webhook := startFakeWebhook(t)
	s.install(t, webhook)
	t.Run("what schedules a deletion needs delete", func(t *testing.T) { needsDeletePermission(t, s, webhook) })
	t.Run("the rest needs no more than update", func(t *testing.T) { needsNoDeletePermission(t, s, webhook) })
}

func needsDeletePermission(t *testing.T, s *apiServer, webhook *fakeWebhook) {
	held := func() *corev1.Pod { return s.quarantined(t, hold) }
	free := func() *corev1.Pod { return s.free(t) }
	cases := map[string]struct {
		pod    func() *corev1.Pod
		change change
	}{
		"quarantine":                     {free, trigger},
		"quarantine, forced":             {free, all(trigger, annotate(quarantine.ForceKey, quarantine.True))},
		"quarantine, held":               {free, all(trigger, hold)},
		"quarantine, label set":          {free, all(trigger, setLabel)},
		"quarantine, record forged":      {free, all(trigger, annotate(quarantine.ExpiresAtKey, "2000-01-01T00:00:00Z"))},
		"quarantine after a release":     {func() *corev1.Pod { return s.free(t, annotate(quarantine.TriggerKey, quarantine.False)) }, trigger},
		"hold withdrawn":                 {held, dropAnnotation(quarantine.HoldKey)},
		"hold turned false":              {held, annotate(quarantine.HoldKey, quarantine.False)},
		"hold withdrawn, record changed": {held, all(dropAnnotation(quarantine.HoldKey), annotate(quarantine.RecordKey, "{}"))},
	}
	for name, c := range cases {
		for way, write := range ways {
			t.Run(name+" by "+way, func(t *testing.T) {
				pod := c.pod()
				before := webhook.calls()
				needsDelete(pod).expect(t, write(t.Context(), client.NewDryRunClient(s.editor), pod.DeepCopy(), c.change))
				needsDelete(pod).expect(t, write(t.Context(), s.editor, pod.DeepCopy(), c.change))
				if got := webhook.calls() - before; got != 0 {
					t.Errorf("the webhook was called %d times about a write that is refused", got)
				}
				if stored := s.read(t, pod); stored.ResourceVersion != pod.ResourceVersion {
					t.Error("the pod was changed")
				}
				wantCalled(t, webhook, func() error {
					return write(t.Context(), client.NewDryRunClient(s.owner), pod.DeepCopy(), c.change)
				})
				wantCalled(t, webhook, func() error { return write(t.Context(), s.owner, pod, c.change) })
			})
		}
	}
}

func needsNoDeletePermission(t *testing.T, s *apiServer, webhook *fakeWebhook) {
	free := func() *corev1.Pod { return s.free(t) }
	quarantined := func() *corev1.Pod { return s.quarantined(t) }
	held := func() *corev1.Pod { return s.quarantined(t, hold) }
	// The stored pod, not the request, decides whether a pod is terminating.
	undelete := func(pod *corev1.Pod) { pod.DeletionTimestamp, pod.DeletionGracePeriodSeconds = nil, nil }
	cases := map[string]struct {
		pod    func() *corev1.Pod
		change change
	}{
		"hold":                                  {quarantined, hold},
		"hold while free":                       {free, hold},
		"unhold while free":                     {func() *corev1.Pod { return s.free(t, hold) }, dropAnnotation(quarantine.HoldKey)},
		"extend":                                {quarantined, annotate(quarantine.ExtendKey, "1h")},
		"reason while held":                     {held, annotate(quarantine.ReasonKey, "it leaks")},
		"release":                               {quarantined, release},
		"release while held":                    {held, all(release, dropAnnotation(quarantine.HoldKey))},
		"release by false, held":                {held, annotate(quarantine.TriggerKey, quarantine.False)},
		"trigger when too late":                 {func() *corev1.Pod { return s.deleting(t) }, trigger},
		"trigger when too late, in an old copy": {func() *corev1.Pod { return s.deleting(t) }, all(trigger, undelete)},
		"unhold when too late":                  {func() *corev1.Pod { return s.deleting(t, trigger, hold) }, dropAnnotation(quarantine.HoldKey)},
		"a value that isn't one":                {free, annotate(quarantine.TriggerKey, "yes")},
	}
	for name, c := range cases {
		for way, write := range ways {
			t.Run(name+" by "+way, func(t *testing.T) {
				pod := c.pod()
				wantCalled(t, webhook, func() error { return write(t.Context(), s.editor, pod, c.change) })
			})
		}
	}
	t.Run("a new pod", func(t *testing.T) {
		pod := newPod("default", trigger)
		wantCalled(t, webhook, func() error { return s.editor.Create(t.Context(), pod) })
	})
}
