package policies

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"isolate.example.io/quarantine"
)

// testFinalizer keeps a terminating pod.
const testFinalizer = "example.com/keep"

// change modifies a pod.
type change func(*corev1.Pod)

// newPod returns a pod of a ReplicaSet.
func newPod(namespace string, changes ...change) *corev1.Pod {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			GenerateName: "web-",
			Namespace:    namespace,
			Labels:       map[string]string{"app": "web"},
			Annotations:  map[string]string{"example.com/team": "blue"},
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "web", UID: "0d4b5a52-3c1f-4b6d-9f5e-2f7f4a0c9b11", Controller: new(true),
			}},
		},
		Spec: corev1.PodSpec{
			TerminationGracePeriodSeconds: new(int64(0)),
			Containers:                    []corev1.Container{{Name: "web", Image: "example.com/web:1"}},
		},
	}
	for _, c := range changes {
		c(pod)
	}
	return pod
}

func annotate(key, value string) change {
	return func(pod *corev1.Pod) {
		if pod.Annotations == nil {
			pod.Annotations = map[string]string{}
		}
		pod.Annotations[key] = value
	}
}

func dropAnnotation(key string) change {
	return func(pod *corev1.Pod) { delete(pod.Annotations, key) }
}

func label(key, value string) change {
	return func(pod *corev1.Pod) {
		if pod.Labels == nil {
			pod.Labels = map[string]string{}
		}
		pod.Labels[key] = value
	}
}

// all combines changes into one.
func all(changes ...change) change {
	return func(pod *corev1.Pod) {
		for _, c := range changes {
			c(pod)
		}
	}
}

var (
	trigger     = annotate(quarantine.TriggerKey, quarantine.True)
	release     = dropAnnotation(quarantine.TriggerKey)
	hold        = annotate(quarantine.HoldKey, quarantine.True)
	setLabel    = label(quarantine.QuarantinedLabel, quarantine.QuarantinedValue)
	dropLabel   = func(pod *corev1.Pod) { delete(pod.Labels, quarantine.QuarantinedLabel) }
	newImage    = func(pod *corev1.Pod) { pod.Spec.Containers[0].Image = "example.com/web:2" }
	finalize    = func(pod *corev1.Pod) { pod.Finalizers = append(pod.Finalizers, testFinalizer) }
	dropOwners  = func(pod *corev1.Pod) { pod.OwnerReferences = nil }
	becomeReady = func(pod *corev1.Pod) {
		pod.Status.Phase = corev1.PodRunning
		pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	}
)

// free creates a pod and applies the changes server-side, so that the tests' field
// manager owns the annotations and can remove them later.
func (s *apiServer) free(t *testing.T, changes ...change) *corev1.Pod {
	t.Helper()
	pod := s.create(t, newPod("default"))
	must(t, serverSideApply(t.Context(), s.admin, pod, all(changes...)))
	return s.read(t, pod)
}

// quarantined creates a pod, quarantines it and applies the changes.
func (s *apiServer) quarantined(t *testing.T, changes ...change) *corev1.Pod {
	t.Helper()
	pod := s.free(t, trigger)
	if pod.Labels[quarantine.QuarantinedLabel] != quarantine.QuarantinedValue {
		t.Fatal("the fake webhook did not quarantine the pod")
	}
	must(t, serverSideApply(t.Context(), s.admin, pod, all(changes...)))
	return s.read(t, pod)
}

// deleting creates a pod, applies the changes and deletes it; a finalizer keeps it.
func (s *apiServer) deleting(t *testing.T, changes ...change) *corev1.Pod {
	t.Helper()
	pod := s.create(t, newPod("default", finalize))
	must(t, serverSideApply(t.Context(), s.admin, pod, all(changes...)))
	must(t, s.admin.Delete(t.Context(), pod))
	return s.read(t, pod)
}

// remove deletes a pod.
func (s *apiServer) remove(t *testing.T, pod client.Object) {
	t.Helper()
	must(t, s.admin.Delete(t.Context(), pod))
}
