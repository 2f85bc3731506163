package collector

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"

	"isolate.example.io/cmd/kubectl-isolate/internal/evidence"
)

// checkpointing collects the checkpoints of a pod whose kubelet answers like this, and
// returns what it was asked for and what is missing in the archive.
func checkpointing(t *testing.T, status int, answer string) (asked string, missing []evidence.Missing) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.Method + " " + r.URL.String()
		w.WriteHeader(status)
		_, _ = w.Write([]byte(answer))
	}))
	defer server.Close()
	config := &rest.Config{Host: server.URL}
	client, err := kubernetes.NewForConfig(config)
	require.NoError(t, err)
	archive, err := evidence.NewWriter(&bytes.Buffer{}, evidence.Manifest{MaxBytes: 1 << 20, MaxTotalBytes: 1 << 20}, clock.RealClock{})
	require.NoError(t, err)
	defer archive.Discard()
	c := &Collector{Config: config, Client: client, Archive: archive, Progress: func(string) func() { return func() {} }}
	require.NoError(t, c.checkpoints(t.Context(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-1"},
		Spec:       corev1.PodSpec{NodeName: "node-1"},
		Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{
			{Name: "web", ContainerID: "containerd://4f2a", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}},
			{Name: "stopped"},
		}},
	}))
	return asked, archive.Manifest.Missing
}

func TestACheckpointGetsMoreTimeThanTheKubeletsDefault(t *testing.T) {
	t.Parallel()
	asked, missing := checkpointing(t, http.StatusOK, `{"items":["/var/lib/kubelet/checkpoints/web.tar"]}`)
	require.Equal(t, "POST /api/v1/nodes/node-1/proxy/checkpoint/shop/web-1/web?timeout=300", asked)
	require.Empty(t, missing)
}

func TestAFailedCheckpointSaysHowToResumeTheContainer(t *testing.T) {
	t.Parallel()
	_, missing := checkpointing(t, http.StatusInternalServerError, `checkpointing "web" failed (DeadlineExceeded)`)
	require.Len(t, missing, 1)
	require.Equal(t, 1, strings.Count(missing[0].Message, "DeadlineExceeded"), missing[0].Message)
	require.Contains(t, missing[0].Message, `; the container may still be paused: if "kubectl exec -n shop web-1 -c web -- true" says that it is, resume container 4f2a on node node-1, with containerd by "ctr -n k8s.io tasks resume 4f2a"`)
}

func TestARefusedCheckpointPausesNothing(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusForbidden, http.StatusNotFound} {
		_, missing := checkpointing(t, status, "refused")
		require.Len(t, missing, 1)
		require.NotContains(t, missing[0].Message, "paused")
	}
}
