//go:build linux

package node

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"isolate.example.io/test/framework/controlplane"
	"isolate.example.io/test/framework/manifests"
)

// reaches reports whether one pod gets an answer from another.
func (n *namespace) reaches(from, address string) bool {
	n.Helper()
	_, err := n.try("exec", from, "--container=web", "--", "/bin/workload", "get", fmt.Sprintf("http://%s:%d/", address, port))
	return err == nil
}

func TestWithoutNetworkPoliciesAQuarantinedPodKeepsItsNetwork(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	pod, peer := n.deploy(1)[0], n.client("peer")
	n.quarantine(pod.Name)
	n.ready("app=web", 1)
	require.True(t, n.reaches("peer", pod.Status.PodIP))
	require.True(t, n.reaches(pod.Name, peer.Status.PodIP))
}

func TestNetworkIsolationCutsOffAQuarantinedPodBothWays(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	root, err := controlplane.Root()
	require.NoError(t, err)
	folder := filepath.Join(root, "manifests")
	objects, err := manifests.Build(t.Context(), cluster.Kubectl(), folder, "components/network-isolation")
	require.NoError(t, err)
	for _, object := range objects {
		object.SetNamespace(n.name)
	}
	require.NoError(t, cluster.Apply(t.Context(), objects...))
	pod, peer := n.deploy(1)[0], n.client("peer")
	n.post(pod.Name, "/value/evidence")
	n.until(func() bool { return n.reaches("peer", pod.Status.PodIP) }, "the peer reaches the pod before its quarantine")
	n.until(func() bool { return n.reaches(pod.Name, peer.Status.PodIP) }, "the pod reaches the peer before its quarantine")

	n.quarantine(pod.Name)
	n.until(func() bool { return !n.reaches("peer", pod.Status.PodIP) }, "the peer can't reach the quarantined pod")
	n.until(func() bool { return !n.reaches(pod.Name, peer.Status.PodIP) }, "the quarantined pod can't reach the peer")
	require.Equal(t, "evidence", n.get(pod.Name, "/value"), "exec goes through the kubelet")
	replacement := n.ready("app=web", 1)[0]
	n.until(func() bool { return n.reaches("peer", replacement.Status.PodIP) }, "the peer reaches the replacement")
}
