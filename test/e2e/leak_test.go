package e2e

import (
	"testing"

	"github.com/stretchr/testify/require"

	"isolate.example.io/quarantine"
)

// Nobody writes the pod: the leak guard finds it.
func TestAPodThatSomethingComesToSelectIsOutAgain(t *testing.T) {
	t.Parallel()
	for name, selects := range map[string]func(n *namespace){
		"service that appears": func(n *namespace) {
			n.create(service("late", map[string]string{"app": "quarantined-web"}))
		},
		"service that changes": func(n *namespace) {
			n.create(service("late", map[string]string{"app": "other"}))
			_, err := n.kubectl(nil, "patch", "service", "late", "--type=merge", "--patch", `{"spec": {"selector": {"app": "quarantined-web"}}}`)
			require.NoError(n, err)
		},
		"replica set": func(n *namespace) {
			n.create(replicaSet("late", 1, map[string]string{"app": "quarantined-web", "release": "quarantined-stable"}))
			n.running("app=quarantined-web", 1)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNamespace(t)
			n.create(service("web", web))
			n.create(replicaSet("web", 1, web))
			before := n.running("app=web", 1)[0]
			n.quarantine(before.Name)

			selects(n)

			n.until(func() bool { return len(n.selecting(n.pod(before.Name).Labels)) == 0 }, "the pod is out again")
			pod := n.pod(before.Name)
			n.requireOut(pod)
			require.NotContains(t, pod.Annotations, quarantine.RecheckKey)
			status := quarantine.StatusOf(pod.Labels, pod.Annotations)
			require.Equal(t, "web", status.Record.Labels["app"], "the original is what a release gives back")

			screen, err := n.release(before.Name)
			require.NoError(t, err, screen)
			for key, value := range web {
				require.Equal(t, value, n.pod(before.Name).Labels[key])
			}
		})
	}
}
