package alertmanager

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"isolate.example.io/quarantine"
	"isolate.example.io/test/gen"
)

const fingerprint = "1a2b3c4d5e6f7081"

// Each refusal is an answer, a log line, a metric and an event. Not parallel: its subtests
// read the same counters.
func TestRefusals(t *testing.T) {
	n, foreign := newNamespace(t, 2), newForeignNamespace(t, 1)
	r := startReceiver(t, allow(n, foreign)...)
	pod := n.first()
	for name, test := range map[string]struct {
		labels      []string
		annotations map[string]string
		reason      string
		message     string
		event       string
	}{
		"a namespace that is not allowed": {
			labels: append(without(labels(pod), "namespace="), "namespace=kube-system"), reason: "NamespaceNotAllowed",
			message: "Alerts may not quarantine pods in namespace kube-system. To allow it: --allowed-namespace=kube-system, and a RoleBinding there.",
		},
		"an alert that is not allowed": {
			labels: append(without(labels(pod), "alertname="), "alertname=Other"), reason: "AlertNotAllowed",
			message: `The alert "Other" may not quarantine pods. To allow it, add it to --allowed-alert.`,
			event:   `Alert Other did not quarantine this pod (AlertNotAllowed): The alert "Other" may not quarantine pods. To allow it, add it to --allowed-alert.`,
		},
		"another pod of the same name": {
			labels: append(without(labels(pod), "uid="), "uid=0c1d2e3f"), reason: "PodReplaced",
			message: "The alert is about pod " + n.name + "/" + pod.Name + " with UID 0c1d2e3f, and the pod with this name has UID " + string(pod.UID) + ".",
			event:   "Alert PodServesErrors did not quarantine this pod (PodReplaced): The alert is about pod",
		},
		"no such pod": {
			labels: append(without(labels(pod), "pod="), "pod=gone"), reason: "PodNotFound", message: `pods "gone" not found`,
		},
		"a ttl that isolate does not accept": {
			labels: labels(pod), annotations: map[string]string{"quarantine_ttl": "soon"}, reason: "InvalidValue",
			message: `Invalid value: "soon": must be a duration such as 90s, 30m, 36h, 7d or 1d12h`,
			event:   "Alert PodServesErrors did not quarantine this pod (InvalidValue): ",
		},
		"a namespace without a RoleBinding": {
			labels: labels(foreign.first()), reason: "Forbidden",
			message: `User "system:serviceaccount:isolate-system:isolate-alert-receiver" cannot get resource "pods"`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			n := &namespace{TB: t, name: n.name}
			before := r.refused(test.reason)
			a := firing(fingerprint, test.labels)
			a.Annotations = test.annotations
			code, body := r.notify(a)
			require.Equal(t, http.StatusUnprocessableEntity, code, body)
			require.True(t, strings.HasPrefix(body, test.reason+": "), body)
			require.Contains(t, body, test.message)
			require.Equal(t, before+1, r.refused(test.reason))
			require.Contains(t, r.log(), `"reason":"`+test.reason+`"`)
			if test.event != "" {
				n.waitRefusal(pod.Name, test.event)
			}
		})
	}
	require.False(t, n.quarantined(pod.Name))
	require.NotContains(t, n.pod(pod.Name).Annotations, quarantine.AlertsKey, "a refused alert is not remembered")
}

// A faulty alert that fires for every pod stops at the budget.
func TestTheBudgetStopsAnAlertForEveryPod(t *testing.T) {
	t.Parallel()
	n := newNamespace(t, 8)
	r := startReceiver(t, allow(n)...)
	var alerts []alert
	for i, name := range n.serving() {
		alerts = append(alerts, firing("00000000000000a"+string(rune('0'+i)), labels(n.pod(name))))
	}
	code, body := r.notify(alerts...)
	require.Equal(t, http.StatusUnprocessableEntity, code, body)
	require.Equal(t, 3, strings.Count(body, "ControllerBudget: "), body)
	require.Equal(t, 5, r.results("Quarantined"))
	require.Equal(t, 3, r.refused("ControllerBudget"))
	refused := alerts[len(alerts)-1].Labels["pod"]
	n.waitRefusal(refused, "5 of at most 5 pods of Deployment/web are already quarantined")
	require.NotContains(t, n.pod(refused).Annotations, quarantine.AlertsKey, "it may be tried again")
}

// A pod that is being deleted needs no quarantine.
func TestATerminatingPodIsLeftAlone(t *testing.T) {
	t.Parallel()
	n := newNamespace(t, 1)
	r := startReceiver(t, allow(n)...)
	pod, err := admin.CoreV1().Pods(n.name).Create(t.Context(), gen.Pod("leaving", gen.Finalizer("example.com/keep")), metav1.CreateOptions{})
	require.NoError(t, err)
	require.NoError(t, admin.CoreV1().Pods(n.name).Delete(t.Context(), pod.Name, metav1.DeleteOptions{}))
	code, body := r.notify(firing(fingerprint, labels(pod)))
	require.Equal(t, http.StatusOK, code, body)
	require.Equal(t, 1, r.results("Terminating"))
	require.NoError(t, n.patch(t.Context(), pod.Name, `{"metadata":{"finalizers":null}}`))
}

func TestTruncatedGroupsAreReported(t *testing.T) {
	t.Parallel()
	n := newNamespace(t, 1)
	r := startReceiver(t, allow(n)...)
	code, body := r.post([]byte(`{"version":"4","truncatedAlerts":7,"alerts":[]}`), "Bearer "+token)
	require.Equal(t, http.StatusUnprocessableEntity, code)
	require.Equal(t, "Truncated: Alertmanager left out 7 alerts of the group. Remove max_alerts from webhook_configs, or group the alerts by namespace and pod.\n", body)
	require.Equal(t, 1, r.refused("Truncated"))
}
