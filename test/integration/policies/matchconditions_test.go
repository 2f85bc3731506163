package policies

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"isolate.example.io/quarantine"
)

func TestMatchConditions(t *testing.T) {
	s := startAPIServer(t)
	webhook := startFakeWebhook(t)
	s.install(t, webhook)
	t.Run("not about other writes of any pod", func(t *testing.T) { notCalledForOtherWrites(t, s, webhook) })
	t.Run("not about metadata that isn't isolate's", func(t *testing.T) { notCalledForOtherMetadata(t, s, webhook) })
	t.Run("about every key", func(t *testing.T) { calledForEveryKey(t, s, webhook) })
	t.Run("about metadata of a quarantined pod", func(t *testing.T) { calledForQuarantined(t, s, webhook) })
}

// wantCalled performs a write for which the API server must call the webhook once.
func wantCalled(t *testing.T, webhook *fakeWebhook, write func() error) {
	t.Helper()
	wantReviews(t, webhook, 1, write)
}

func wantNotCalled(t *testing.T, webhook *fakeWebhook, write func() error) {
	t.Helper()
	wantReviews(t, webhook, 0, write)
}

func wantReviews(t *testing.T, webhook *fakeWebhook, want int64, write func() error) {
	t.Helper()
	before := webhook.calls()
	must(t, write())
	if got := webhook.calls() - before; got != want {
		t.Errorf("the webhook was called %d times, want %d", got, want)
	}
}

// Writes of controllers, kubelets and the scheduler never call the webhook, so they
// keep working during an outage.
func notCalledForOtherWrites(t *testing.T, s *apiServer, webhook *fakeWebhook) {
	pods := map[string]func(...change) *corev1.Pod{
		"free":        func(changes ...change) *corev1.Pod { return s.free(t, changes...) },
		"quarantined": func(changes ...change) *corev1.Pod { return s.quarantined(t, append(changes, hold)...) },
		"deleting":    func(changes ...change) *corev1.Pod { return s.deleting(t, append(changes, trigger)...) },
	}
	removeFinalizers := func(pod *corev1.Pod) { pod.Finalizers = nil }
	type writeCase struct {
		name   string
		write  write
		change change
		states []string
	}
	cases := []writeCase{
		{"spec", mergePatch, newImage, []string{"free", "quarantined", "deleting"}},
		{"spec in a PUT", put, newImage, []string{"free", "quarantined", "deleting"}},
		{"a finalizer added", strategicPatch, finalize, []string{"free", "quarantined"}},
		{"finalizers removed", jsonPatch, removeFinalizers, []string{"deleting"}},
		{"nothing", put, all(), []string{"free", "quarantined", "deleting"}},
		{"a kubelet's status", writeStatus, becomeReady, []string{"free", "quarantined", "deleting"}},
		{"status in a PUT", putStatus, becomeReady, []string{"free", "quarantined", "deleting"}},
		{"a binding", bind, all(), []string{"free", "quarantined"}},
		{"an eviction", evict, all(), []string{"free", "quarantined"}},
		{"a deletion", remove, all(), []string{"free", "quarantined", "deleting"}},
	}
	for name, write := range s.subresources(t) {
		cases = append(cases, writeCase{name, write, all(), []string{"free", "quarantined"}})
	}
	for _, c := range cases {
		for _, state := range c.states {
			t.Run(c.name+" of a pod "+state, func(t *testing.T) {
				pod := pods[state]()
				wantNotCalled(t, webhook, func() error { return c.write(t.Context(), s.admin, pod, c.change) })
			})
		}
	}
}

// A misspelt key is an ordinary annotation, and so is a key in the wrong map of a new
// pod: a template's pods would otherwise be refused.
func notCalledForOtherMetadata(t *testing.T, s *apiServer, webhook *fakeWebhook) {
	misspelt := annotate(quarantine.Domain+"quarentine", "true")
	wrongMap := all(label(quarantine.TriggerKey, "true"), annotate(quarantine.QuarantinedLabel, "true"))
	for name, write := range ways {
		t.Run(name, func(t *testing.T) {
			pod := s.free(t)
			wantNotCalled(t, webhook, func() error { return write(t.Context(), s.admin, pod, misspelt) })
		})
	}
	t.Run("CREATE", func(t *testing.T) {
		wantNotCalled(t, webhook, func() error { return s.admin.Create(t.Context(), newPod("default", misspelt, wrongMap)) })
	})
	t.Run("CREATE without metadata", func(t *testing.T) {
		bare := func(pod *corev1.Pod) { pod.Labels, pod.Annotations, pod.OwnerReferences = nil, nil, nil }
		pod := newPod("default", bare)
		wantNotCalled(t, webhook, func() error { return s.admin.Create(t.Context(), pod) })
		wantNotCalled(t, webhook, func() error { return mergePatch(t.Context(), s.admin, pod, label("app", "web")) })
		wantNotCalled(t, webhook, func() error { return mergePatch(t.Context(), s.admin, pod, bare) })
	})
	t.Run("labels and owners of a free pod", func(t *testing.T) {
		pod := s.free(t)
		wantNotCalled(t, webhook, func() error { return mergePatch(t.Context(), s.admin, pod, label("app", "api"), dropOwners) })
	})
}

func calledForEveryKey(t *testing.T, s *apiServer, webhook *fakeWebhook) {
	for _, key := range declaredKeys(t) {
		if key == quarantine.QuarantinedLabel {
			continue
		}
		t.Run(key, func(t *testing.T) {
			born := newPod("default", annotate(key, "1"))
			wantCalled(t, webhook, func() error { return s.admin.Create(t.Context(), born) })
			pod := s.free(t)
			if slices.Contains(recordKeys, key) {
				wantCalled(t, webhook, func() error {
					recordReserved(pod).expect(t, mergePatch(t.Context(), s.admin, pod.DeepCopy(), annotate(key, "1")))
					return nil
				})
				return
			}
			wantCalled(t, webhook, func() error { return mergePatch(t.Context(), s.admin, pod, annotate(key, "1")) })
			wantCalled(t, webhook, func() error { return mergePatch(t.Context(), s.admin, pod, annotate(key, "2")) })
			wantCalled(t, webhook, func() error { return mergePatch(t.Context(), s.admin, pod, label("app", "api")) })
			wantNotCalled(t, webhook, func() error { return mergePatch(t.Context(), s.admin, pod, newImage) })
			wantCalled(t, webhook, func() error { return mergePatch(t.Context(), s.admin, pod, dropAnnotation(key)) })
		})
	}
	for _, key := range []string{
		quarantine.TriggerKey, quarantine.TTLKey, quarantine.ExtendKey, quarantine.HoldKey, quarantine.ReasonKey, quarantine.ForceKey,
	} {
		t.Run(key+" as a label", func(t *testing.T) {
			pod := s.free(t)
			wantCalled(t, webhook, func() error { return mergePatch(t.Context(), s.admin, pod, label(key, "1")) })
		})
	}
	t.Run(quarantine.QuarantinedLabel+" as an annotation", func(t *testing.T) {
		pod := s.free(t)
		wantCalled(t, webhook, func() error {
			return mergePatch(t.Context(), s.admin, pod, annotate(quarantine.QuarantinedLabel, "true"))
		})
	})
	t.Run(quarantine.QuarantinedLabel, func(t *testing.T) {
		wantCalled(t, webhook, func() error {
			labelReserved(nil).expect(t, s.admin.Create(t.Context(), newPod("default", setLabel)))
			return nil
		})
		pod := s.free(t)
		wantCalled(t, webhook, func() error {
			labelReserved(nil).expect(t, mergePatch(t.Context(), s.admin, pod, setLabel))
			return nil
		})
		pod = s.quarantined(t)
		wantCalled(t, webhook, func() error {
			notReleased(pod).expect(t, mergePatch(t.Context(), s.admin, pod.DeepCopy(), dropLabel))
			return nil
		})
	})
}

func calledForQuarantined(t *testing.T, s *apiServer, webhook *fakeWebhook) {
	adopt := func(pod *corev1.Pod) { pod.OwnerReferences = newPod("default").OwnerReferences }
	changes := map[string]change{
		"a label":      label("app", "api"),
		"an owner":     adopt,
		"a hint":       annotate("example.com/hint", "x"),
		"hold":         hold,
		"the release":  release,
		"both at once": all(newImage, label("app", "api")),
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			pod := s.quarantined(t)
			dry := client.NewDryRunClient(s.admin)
			wantCalled(t, webhook, func() error { return mergePatch(t.Context(), dry, pod.DeepCopy(), change) })
			wantCalled(t, webhook, func() error { return mergePatch(t.Context(), s.admin, pod, change) })
		})
	}
}
