package alertmanager

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"isolate.example.io/quarantine"
	"isolate.example.io/test/framework/waiting"
	"isolate.example.io/test/gen"
)

// Not parallel: without the webhook, no pod of the cluster can be quarantined.
func TestAnOutageIsRetried(t *testing.T) {
	n := newNamespace(t, 2)
	r, p := startReceiver(t, allow(n)...), newPeople(t)
	a := startAlertmanager(t, shipped(t), r, p)
	pod := n.first()
	for _, program := range isolated.Programs() {
		if program.Name == "webhook" {
			program.Kill()
		}
	}
	a.add(labels(pod)...)
	waiting.Until(t, func() bool { return r.refused("Unavailable") > 1 }, "Alertmanager retries")
	n.waitRefusal(pod.Name, "Alert PodServesErrors did not quarantine this pod (Unavailable): ")
	require.False(t, n.quarantined(pod.Name))
	// A pod that is created now keeps the trigger, which has no effect.
	ignored, err := admin.CoreV1().Pods(n.name).Create(t.Context(), gen.Pod("ignored", gen.Annotation(quarantine.TriggerKey, "true")), metav1.CreateOptions{})
	require.NoError(t, err)
	require.Contains(t, ignored.Annotations, quarantine.TriggerKey)

	_, err = isolated.StartWebhook(t.Context())
	require.NoError(t, err)
	n.waitQuarantined(pod.Name)

	code, body := r.notify(firing(fingerprint, labels(ignored)))
	require.Equal(t, http.StatusUnprocessableEntity, code)
	require.Equal(t, "TriggerIgnored: The pod has isolate.example.io/quarantine=true from before isolate was installed, which has no effect. "+
		"Remove it: kubectl annotate pod -n "+n.name+" ignored isolate.example.io/quarantine-\n", body)
	require.NotContains(t, n.pod("ignored").Annotations, quarantine.AlertsKey)
}
