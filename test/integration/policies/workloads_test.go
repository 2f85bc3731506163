package policies

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"isolate.example.io/quarantine"
)

// heard are the warnings that a client was given.
type heard struct {
	mu       sync.Mutex
	warnings []string
}

// HandleWarningHeaderWithContext implements [rest.WarningHandlerWithContext].
func (h *heard) HandleWarningHeaderWithContext(_ context.Context, _ int, _ string, text string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.warnings = append(h.warnings, text)
}

// take returns the warnings so far, and forgets them.
func (h *heard) take() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	taken := h.warnings
	h.warnings = nil
	return taken
}

// A person may take the Deployment for what is quarantined.
func TestTheTriggerOnAWorkloadIsAnsweredWithAWarning(t *testing.T) {
	s := startAPIServer(t)
	s.install(t, startFakeWebhook(t))
	config := rest.CopyConfig(s.env.Config)
	ears := &heard{}
	config.WarningHandlerWithContext = ears
	person := newClient(t, config)

	labels := map[string]string{"app": "web"}
	selector := &metav1.LabelSelector{MatchLabels: labels}
	template := corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{
		Containers: []corev1.Container{{Name: "web", Image: "example.com/web:1"}},
	}}
	once := *template.DeepCopy()
	once.Spec.RestartPolicy = corev1.RestartPolicyNever
	meta := metav1.ObjectMeta{Name: "web", Namespace: "default"}
	for kind, object := range map[string]client.Object{
		"Deployment":  &appsv1.Deployment{ObjectMeta: meta, Spec: appsv1.DeploymentSpec{Selector: selector, Template: template}},
		"StatefulSet": &appsv1.StatefulSet{ObjectMeta: meta, Spec: appsv1.StatefulSetSpec{Selector: selector, Template: template}},
		"DaemonSet":   &appsv1.DaemonSet{ObjectMeta: meta, Spec: appsv1.DaemonSetSpec{Selector: selector, Template: template}},
		"ReplicaSet":  &appsv1.ReplicaSet{ObjectMeta: meta, Spec: appsv1.ReplicaSetSpec{Selector: selector, Template: template}},
		"Job":         &batchv1.Job{ObjectMeta: meta, Spec: batchv1.JobSpec{Template: once}},
	} {
		t.Run(kind, func(t *testing.T) {
			want := []string{fmt.Sprintf("Validation failed for ValidatingAdmissionPolicy 'isolate-workloads' with binding 'isolate-workloads': "+
				"isolate.example.io/quarantine does nothing on a %s: isolate quarantines single pods. "+
				"To list the pods: kubectl get pods -n default. "+
				"To quarantine one of them: kubectl annotate pod -n default POD isolate.example.io/quarantine=true", kind)}
			hears := func(want []string, write func() error) {
				t.Helper()
				must(t, write())
				if got := ears.take(); !slices.Equal(got, want) {
					t.Errorf("warned %q, want %q", got, want)
				}
			}
			set := func(set func(client.Object, map[string]string), to map[string]string) func() error {
				return func() error {
					before := object.DeepCopyObject().(client.Object)
					set(object, to)
					return person.Patch(t.Context(), object, client.MergeFrom(before))
				}
			}
			trigger := map[string]string{quarantine.TriggerKey: "true"}
			hears(nil, func() error { return person.Create(t.Context(), object) })
			hears(want, set(client.Object.SetAnnotations, trigger))
			hears(nil, set(client.Object.SetAnnotations, map[string]string{quarantine.TriggerKey: "true", "team": "shop"}))
			hears(nil, set(client.Object.SetAnnotations, nil))
			hears(want, set(client.Object.SetLabels, trigger))
			must(t, s.admin.Delete(t.Context(), object))
		})
	}
}
