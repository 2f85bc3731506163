//go:build linux

package node

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"isolate.example.io/test/framework/node"
)

// The machine of the node is switched off and on: containers and mounts are gone, and
// what is on disk is still there.
func TestEverythingComesBackAfterTheNodeRestarts(t *testing.T) {
	n := newNamespace(t)
	pod := n.deploy(2)[0].Name
	n.quarantine(pod)
	n.ready("app=web", 2)
	require.NoError(t, cluster.Restart(t.Context()))

	n.until(func() bool {
		current := n.pod(pod)
		return ready(current) && current.Status.ContainerStatuses[0].RestartCount == 1
	}, "the quarantined pod runs again")
	require.True(t, quarantined(n.pod(pod)))
	serving := n.ready("app=web", 2)
	n.until(func() bool {
		answer := request(t.Context(), http.DefaultClient, n.service())
		return answer == serving[0].Name || answer == serving[1].Name
	}, "the Service serves again")
	n.until(func() bool {
		pods, err := admin.CoreV1().Pods(node.Namespace).List(t.Context(), metav1.ListOptions{})
		require.NoError(t, err)
		for _, own := range pods.Items {
			if !ready(&own) || own.Status.ContainerStatuses[0].RestartCount == 0 {
				return false
			}
		}
		return len(pods.Items) == 4
	}, "isolate's pods are Ready again")
	n.until(func() bool {
		_, err := n.try("annotate", "pod", serving[0].Name, "isolate.example.io/quarantine=true")
		return err == nil
	}, "another pod can be quarantined")
	n.ready("app=web", 2)
}
