package policies

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"isolate.example.io/quarantine"
)

// multusKey is the annotation that Multus writes through pods/status.
const multusKey = "k8s.v1.cni.cncf.io/network-status"

// setKey sets one of isolate's keys, as a label or an annotation.
func setKey(key, value string) change {
	if key == quarantine.QuarantinedLabel {
		return label(key, value)
	}
	return annotate(key, value)
}

func TestSubresources(t *testing.T) {
	s := startAPIServer(t)
	s.install(t, startFakeWebhook(t))
	t.Run("pods/status", func(t *testing.T) { statusIsDenied(t, s) })
	t.Run("other writes to pods/status", func(t *testing.T) { otherStatusIsAllowed(t, s) })
	t.Run("bindings", func(t *testing.T) { bindingsAreDenied(t, s) })
	t.Run("other bindings", func(t *testing.T) { otherBindingsAreAllowed(t, s) })
	t.Run("subresources that take no metadata", func(t *testing.T) { othersTakeNoMetadata(t, s) })
}

func statusIsDenied(t *testing.T, s *apiServer) {
	for way, write := range map[string]write{"patch": writeStatus, "PUT": putStatus} {
		for _, key := range declaredKeys(t) {
			t.Run(key+" by "+way, func(t *testing.T) {
				pod := s.free(t)
				for _, value := range []string{"true", ""} {
					statusDenied(pod).expect(t, write(t.Context(), s.owner, pod.DeepCopy(), becomeReady, setKey(key, value)))
				}
				pod = s.quarantined(t)
				if !slices.Contains(recordKeys, key) {
					pod = s.quarantined(t, setKey(key, "true"))
				}
				statusDenied(pod).expect(t, write(t.Context(), s.owner, pod.DeepCopy(), setKey(key, "false")))
				drop := func(pod *corev1.Pod) { delete(pod.Labels, key); delete(pod.Annotations, key) }
				statusDenied(pod).expect(t, write(t.Context(), s.owner, pod.DeepCopy(), drop))
			})
		}
		t.Run("labels of a quarantined pod by "+way, func(t *testing.T) {
			pod := s.quarantined(t)
			for _, c := range []change{label("app", "api"), label("new", "x"), func(pod *corev1.Pod) { delete(pod.Labels, "app") }} {
				statusLabelsDenied(pod).expect(t, write(t.Context(), s.owner, pod.DeepCopy(), becomeReady, c))
			}
		})
	}
}

func otherStatusIsAllowed(t *testing.T, s *apiServer) {
	for way, write := range map[string]write{"patch": writeStatus, "PUT": putStatus} {
		for state, pod := range map[string]*corev1.Pod{
			"quarantined": s.quarantined(t, hold),
			"free":        s.free(t),
			"deleting":    s.deleting(t, trigger),
		} {
			t.Run(way+" of a pod "+state, func(t *testing.T) {
				must(t, write(t.Context(), s.editor, pod, becomeReady))
				must(t, write(t.Context(), s.editor, pod, annotate(multusKey, "[]")))
				must(t, write(t.Context(), s.editor, pod, dropAnnotation(multusKey)))
			})
		}
		t.Run(way+" with a label of a free pod", func(t *testing.T) {
			must(t, write(t.Context(), s.editor, s.free(t), label("app", "api")))
		})
	}
}

// bindings are the two ways to create a Binding.
var bindings = map[string]write{"pods/binding": bind, "bindings": bindOldStyle}

func bindingsAreDenied(t *testing.T, s *apiServer) {
	for way, write := range bindings {
		for _, key := range declaredKeys(t) {
			t.Run(key+" by "+way, func(t *testing.T) {
				pod := s.free(t)
				bindingDenied(pod).expect(t, write(t.Context(), s.owner, pod, setKey(key, "true")))
				bindingDenied(pod).expect(t, write(t.Context(), client.NewDryRunClient(s.owner), pod, setKey(key, "")))
				if stored := s.read(t, pod); stored.ResourceVersion != pod.ResourceVersion {
					t.Error("the pod was changed")
				}
			})
		}
	}
}

// The test also proves that the API server copies a Binding's metadata onto the pod.
func otherBindingsAreAllowed(t *testing.T, s *apiServer) {
	for way, write := range bindings {
		t.Run(way, func(t *testing.T) {
			must(t, write(t.Context(), s.editor, s.quarantined(t)))
			pod := s.free(t)
			must(t, write(t.Context(), s.editor, pod, annotate("example.com/zone", "a")))
			if stored := s.read(t, pod); stored.Spec.NodeName != "node-1" || stored.Annotations["example.com/zone"] != "a" {
				t.Errorf("bound to %q with annotations %v", stored.Spec.NodeName, stored.Annotations)
			}
		})
	}
}

func othersTakeNoMetadata(t *testing.T, s *apiServer) {
	for name, write := range s.subresources(t) {
		t.Run(name, func(t *testing.T) {
			pod := s.free(t)
			must(t, write(t.Context(), s.admin, pod.DeepCopy(), trigger, setLabel))
			stored := s.read(t, pod)
			if _, ok := stored.Annotations[quarantine.TriggerKey]; ok || stored.Labels[quarantine.QuarantinedLabel] != "" {
				t.Errorf("the pod got labels %v and annotations %v", stored.Labels, stored.Annotations)
			}
		})
	}
}
