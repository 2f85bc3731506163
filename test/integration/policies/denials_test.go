package policies

import (
	"errors"
	"fmt"
	"net/http"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// refusal is the denial of a policy.
type refusal struct {
	policy   string
	code     int32
	sentence string
}

func needsDelete(pod *corev1.Pod) refusal {
	return refusal{"isolate-pods", http.StatusForbidden, fmt.Sprintf(
		"this write schedules the deletion of pod %[1]s, which requires permission to delete it; nothing was changed. "+
			"Ask for permission to delete pods/%[1]s in namespace %[2]s.", pod.Name, pod.Namespace)}
}

func notSeen(pod *corev1.Pod) refusal {
	return refusal{"isolate-pods", http.StatusUnprocessableEntity, fmt.Sprintf(
		"isolate's webhook did not see this write, nothing was changed: pod %[1]s is not quarantined. "+
			"Check that the MutatingWebhookConfiguration isolate exists and that no webhook after it sets isolate.example.io/quarantine; "+
			"then: kubectl annotate pod -n %[2]s %[1]s isolate.example.io/quarantine=true", pod.Name, pod.Namespace)}
}

func labelReserved(*corev1.Pod) refusal {
	return refusal{"isolate-pods", http.StatusUnprocessableEntity,
		"only isolate sets the label isolate.example.io/quarantined, and isolate's webhook did not see this write; nothing was changed. " +
			"Leave the label out; to quarantine a pod that exists: kubectl annotate pod POD isolate.example.io/quarantine=true"}
}

func notReleased(pod *corev1.Pod) refusal {
	return refusal{"isolate-pods", http.StatusUnprocessableEntity, fmt.Sprintf(
		"isolate's webhook did not see this write, nothing was changed: pod %[1]s is still quarantined. "+
			"Check that the MutatingWebhookConfiguration isolate exists; "+
			"then, to release the pod: kubectl annotate pod -n %[2]s %[1]s isolate.example.io/quarantine-", pod.Name, pod.Namespace)}
}

func recordReserved(pod *corev1.Pod) refusal {
	return refusal{"isolate-pods", http.StatusUnprocessableEntity, fmt.Sprintf(
		"only isolate writes its record of a quarantine, and isolate's webhook did not see this write; nothing was changed. "+
			"To quarantine the pod: kubectl annotate pod -n %[2]s %[1]s isolate.example.io/quarantine=true. "+
			"To keep it longer: kubectl annotate pod -n %[2]s %[1]s isolate.example.io/extend=24h", pod.Name, pod.Namespace)}
}

func statusDenied(pod *corev1.Pod) refusal {
	return refusal{"isolate-pods-status", http.StatusForbidden, fmt.Sprintf(
		"isolate's labels and annotations can't be changed through pods/status; nothing was changed. "+
			"Write to the pod itself, for example: kubectl annotate pod -n %s %s isolate.example.io/quarantine=true", pod.Namespace, pod.Name)}
}

func statusLabelsDenied(pod *corev1.Pod) refusal {
	return refusal{"isolate-pods-status", http.StatusForbidden, fmt.Sprintf(
		"pod %[1]s is quarantined, so its labels can't be changed through pods/status; nothing was changed. "+
			"Leave them as they are, or write to the pod itself: kubectl label pod -n %[2]s %[1]s KEY=VALUE", pod.Name, pod.Namespace)}
}

func bindingDenied(pod *corev1.Pod) refusal {
	return refusal{"isolate-bindings", http.StatusForbidden, fmt.Sprintf(
		"a Binding can't carry isolate's labels and annotations; nothing was changed. "+
			"Bind pod %[1]s without them, then write to the pod itself, "+
			"for example: kubectl annotate pod -n %[2]s %[1]s isolate.example.io/quarantine=true", pod.Name, pod.Namespace)}
}

// expect fails the test unless the error is exactly this denial.
func (r refusal) expect(t *testing.T, err error) {
	t.Helper()
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		t.Fatalf("want the refusal %q, got %v", r.sentence, err)
	}
	got := status.Status()
	message := fmt.Sprintf("ValidatingAdmissionPolicy '%[1]s' with binding '%[1]s' denied request: %[2]s", r.policy, r.sentence)
	if got.Code != r.code || len(got.Details.Causes) != 1 || got.Details.Causes[0].Message != message {
		t.Errorf("want %d %s\ngot  %d %s", r.code, message, got.Code, got.Message)
	}
}
