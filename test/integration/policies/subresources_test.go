package policies

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"isolate.example.io/quarantine"
)

// multusKey is where Multus tells through pods/status which networks a pod has.
const multusKey = "k8s.v1.cni.cncf.io/network-status"

// setKey writes one of isolate's keys where it belongs.
func setKey(key, value string) change {
	if key == quarantine.QuarantinedLabel {
		return label(key, value)
	}
	return annotate(key, value)
}

func TestSubresources(t *testing.T) {
	s := startAPIServer(t)
	s.install(t, startStandIn(t))
	t.Run("pods/status", func(t *testing.T) { statusIsClosed(t, s) })
	t.Run("pods/status stays open to others", func(t *testing.T) { statusStaysOpen(t, s) })
	t.Run("bindings", func(t *testing.T) { bindingsAreClosed(t, s) })
	t.Run("bindings stay open to others", func(t *testing.T) { bindingsStayOpen(t, s) })
	t.Run("subresources that take no metadata", func(t *testing.T) { othersTakeNoMetadata(t, s) })
}

func statusIsClosed(t *testing.T, s *apiServer) {
	for way, write := range map[string]write{"patch": writeStatus, "PUT": putStatus} {
		for _, key := range declaredKeys(t) {
			t.Run(key+" by "+way, func(t *testing.T) {
				pod := s.free(t)
				for _, value := range []string{"true", ""} {
					closedToStatus(pod).expect(t, write(t.Context(), s.owner, pod.DeepCopy(), becomeReady, setKey(key, value)))
				}
				pod = s.quarantined(t)
				if !slices.Contains(recordKeys, key) {
					pod = s.quarantined(t, setKey(key, "true"))
				}
				closedToStatus(pod).expect(t, write(t.Context(), s.owner, pod.DeepCopy(), setKey(key, "false")))
				drop := func(pod *corev1.Pod) { delete(pod.Labels, key); delete(pod.Annotations, key) }
				closedToStatus(pod).expect(t, write(t.Context(), s.owner, pod.DeepCopy(), drop))
			})
		}
		t.Run("labels of a quarantined pod by "+way, func(t *testing.T) {
			pod := s.quarantined(t)
			for _, c := range []change{label("app", "api"), label("new", "x"), func(pod *corev1.Pod) { delete(pod.Labels, "app") }} {
				labelsClosedToStatus(pod).expect(t, write(t.Context(), s.owner, pod.DeepCopy(), becomeReady, c))
			}
		})
	}
}

func statusStaysOpen(t *testing.T, s *apiServer) {
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

// bindings are the doors by which a Binding comes to a pod.
var bindings = map[string]write{"pods/binding": bind, "bindings": bindOldStyle}

func bindingsAreClosed(t *testing.T, s *apiServer) {
	for door, write := range bindings {
		for _, key := range declaredKeys(t) {
			t.Run(key+" by "+door, func(t *testing.T) {
				pod := s.free(t)
				closedToBindings(pod).expect(t, write(t.Context(), s.owner, pod, setKey(key, "true")))
				closedToBindings(pod).expect(t, write(t.Context(), client.NewDryRunClient(s.owner), pod, setKey(key, "")))
				if stored := s.read(t, pod); stored.ResourceVersion != pod.ResourceVersion {
					t.Error("the pod was changed")
				}
			})
		}
	}
}

// It shows too that the door is one: what a Binding carries comes to the pod.
func bindingsStayOpen(t *testing.T, s *apiServer) {
	for door, write := range bindings {
		t.Run(door, func(t *testing.T) {
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
