package alertmanager

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"isolate.example.io/quarantine"
	"isolate.example.io/test/framework/kubectl"
	"isolate.example.io/test/framework/waiting"
)

// peopleRoute is the route by which people hear of alerts that quarantine.
const peopleRoute = `  # continue goes on to the routes below, and never to the receiver above. Without this
  # route, nobody would be told about the alerts that quarantine a pod.
  - receiver: people
`

func TestRoutes(t *testing.T) {
	for name, test := range map[string]struct {
		config    string
		labels    []string
		receivers string
	}{
		"as shipped, an alert that quarantines":  {shipped(t), []string{"quarantine=pod", "pod=web"}, "quarantine,people"},
		"as shipped, any other alert":            {shipped(t), []string{"pod=web"}, "people"},
		"the mistake: continue without the next": {replace(t, shipped(t), peopleRoute, ""), []string{"quarantine=pod", "pod=web"}, "quarantine"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "alertmanager.yaml")
			require.NoError(t, os.WriteFile(file, []byte(test.config), 0o600))
			require.Contains(t, amtool(t, "check-config", file), "SUCCESS")
			require.Equal(t, test.receivers, strings.TrimSpace(amtool(t, append([]string{"config", "routes", "test", "--config.file=" + file}, test.labels...)...)))
		})
	}
}

func TestTheExampleInstallsWhatItNames(t *testing.T) {
	for _, name := range []string{
		"serviceaccount/isolate-alert-receiver", "service/isolate-alert-receiver", "deployment/isolate-alert-receiver",
		"poddisruptionbudget/isolate-alert-receiver", "networkpolicy/isolate-alert-receiver",
	} {
		kubectl.Run(t, cluster, "get", "-n", "isolate-system", name)
	}
	for verb, wanted := range map[string]string{"get": "yes", "patch": "yes", "delete": "yes", "list": "no", "create": "no", "update": "no"} {
		for namespace, wanted := range map[string]string{exampleNamespace: wanted, "default": "no"} {
			screen, _ := kubectl.Try(t.Context(), cluster, nil, "auth", "can-i", verb, "pods", "-n", namespace,
				"--as=system:serviceaccount:isolate-system:isolate-alert-receiver")
			require.Equal(t, wanted, screen, "%s pods in %s", verb, namespace)
		}
	}
}

// The namespace enforces the restricted Pod Security Standard. The pods wait for the Secret,
// which KWOK does not need.
func TestThePodsAreAdmitted(t *testing.T) {
	waiting.Until(t, func() bool {
		return kubectl.Run(t, cluster, "get", "deployment", "-n", "isolate-system", "isolate-alert-receiver", "-o=jsonpath={.status.readyReplicas}") == "2"
	}, "both replicas run")
}

// An alert of amtool takes the shipped route through a real Alertmanager: people are
// notified, and the pod is quarantined.
func TestPeopleAreToldAndThePodIsQuarantined(t *testing.T) {
	t.Parallel()
	n := newNamespace(t, 3)
	r, p := startReceiver(t, allow(n)...), newPeople(t)
	a := startAlertmanager(t, replace(t, shipped(t), "  receiver: people\n  routes:", "  receiver: people\n  group_wait: 0s\n  routes:"), r, p)
	pod, others := n.first(), n.serving()[1:]
	a.add(append(labels(pod), "--annotation=summary=it answers 500", "--annotation=quarantine_ttl=4h")...)

	got := n.waitQuarantined(pod.Name)
	require.Regexp(t, `^it answers 500 \(alert PodServesErrors, fingerprint [0-9a-f]{16}\)$`, got.Annotations[quarantine.ReasonKey])
	require.Equal(t, "system:serviceaccount:isolate-system:isolate-alert-receiver", got.Annotations[quarantine.QuarantinedByKey])
	status := quarantine.StatusOf(got.Labels, got.Annotations)
	require.WithinDuration(t, status.QuarantinedAt.Add(4*time.Hour), status.ExpiresAt, time.Second)
	waiting.Until(t, func() bool { return p.toldOf(pod.Name) }, "people are notified")
	for _, other := range others {
		require.False(t, n.quarantined(other), "only the alert's pod")
	}
	require.Equal(t, 1, r.results("Quarantined"))
}

// The mistake of a receiver that runs kubectl: kubectl annotate pod --all.
func TestALabelIsNeverAFlag(t *testing.T) {
	t.Parallel()
	n := newNamespace(t, 3)
	r, p := startReceiver(t, allow(n)...), newPeople(t)
	a := startAlertmanager(t, shipped(t), r, p)
	for _, pod := range []string{"--all", "-lapp=web", "--server=https://203.0.113.9", "-A"} {
		a.add("alertname=PodServesErrors", "quarantine=pod", "namespace="+n.name, "pod="+pod)
	}
	waiting.Until(t, func() bool { return r.refused("InvalidPod") >= 4 }, "all four are refused")
	for _, pod := range n.serving() {
		require.False(t, n.quarantined(pod))
	}
	require.Len(t, n.serving(), 3)
}
