package plugin

import (
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/tools/clientcmd"

	"isolate.example.io/quarantine"
	"isolate.example.io/test/gen"
)

func TestAsImpersonatesAUser(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	n.createPod(gen.Pod("web"))
	n.as("alice", may("", "pods", "get", "patch", "delete"))
	require.Equal(t, result{code: 3, errOut: "Error from server (Forbidden): pods \"web\" is forbidden: User \"bob\" cannot get resource \"pods\" in API group \"\" in the namespace \"shop\"\n"},
		n.isolate("plan", "web", "--as=bob"))
	require.Equal(t, "pod/web quarantined\n  written after SPAN\n", untimed(n.done("web", "--yes", "--wait=none", "--as=alice")))
	require.Equal(t, "alice", n.pod("web").Annotations[quarantine.QuarantinedByKey])
}

// The context named by --context decides the cluster, the user and the namespace.
func TestContextSelectsTheClusterTheUserAndTheNamespace(t *testing.T) {
	t.Parallel()
	n, second := newNamespace(t), newNamespace(t)
	n.createPod(gen.Pod("here"))
	second.createPod(gen.Pod("there"))
	config, err := clientcmd.LoadFromFile(n.kubeconfig)
	require.NoError(t, err)
	theirs, err := clientcmd.LoadFromFile(second.as("carol", may("", "pods", "get", "list", "patch", "delete")).kubeconfig)
	require.NoError(t, err)
	config.Clusters["theirs"] = theirs.Clusters[theirs.Contexts[theirs.CurrentContext].Cluster]
	config.AuthInfos["theirs"] = theirs.AuthInfos[theirs.Contexts[theirs.CurrentContext].AuthInfo]

	theirs.Contexts[theirs.CurrentContext].Cluster, theirs.Contexts[theirs.CurrentContext].AuthInfo = "theirs", "theirs"
	config.Contexts["theirs"] = theirs.Contexts[theirs.CurrentContext]
	require.NoError(t, clientcmd.WriteToFile(*config, n.kubeconfig))

	require.Equal(t, "pod/there quarantined\n  written after SPAN\n", untimed(n.done("there", "--context=theirs", "--yes", "--wait=none")))
	require.Equal(t, "carol", second.pod("there").Annotations[quarantine.QuarantinedByKey])
	require.Equal(t, result{code: 1, errOut: "Error from server (NotFound): pods \"there\" not found\n"}, n.isolate("plan", "there"))
	require.Equal(t, result{code: 1, errOut: "Error in configuration: context was not found for specified context: nowhere\n"}, n.isolate("list", "--context=nowhere"))
}
