package plugin

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"isolate.example.io/test/gen"
)

// kubelet plays the part of a kubelet that the API server asks for logs. It runs no
// containers.
type kubelet struct {
	node string

	mu       sync.Mutex
	logs     map[string]string
	large    map[string]int64
	endless  string
	requests []string
}

// startKubelet adds a node that only pods with its name go to.
func startKubelet(t *testing.T, name string) *kubelet {
	t.Helper()
	k := &kubelet{node: name, logs: map[string]string{}, large: map[string]int64{}}
	server := httptest.NewTLSServer(k)
	t.Cleanup(server.Close)
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	require.NoError(t, err)
	number, err := strconv.Atoi(port)
	require.NoError(t, err)
	node, err := admin.CoreV1().Nodes().Create(t.Context(), &corev1.Node{ObjectMeta: gen.Meta(name), Spec: corev1.NodeSpec{
		Unschedulable: true,
	}}, metav1.CreateOptions{})
	require.NoError(t, err)
	patch := fmt.Appendf(nil, `{"status":{"addresses":[{"type":"InternalIP","address":"127.0.0.1"}],"daemonEndpoints":{"kubeletEndpoint":{"Port":%d}}}}`, number)
	_, err = admin.CoreV1().Nodes().PatchStatus(t.Context(), node.Name, patch)
	require.NoError(t, err)
	return k
}

// ServeHTTP implements [http.Handler].
func (k *kubelet) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.requests = append(k.requests, r.Method+" "+r.URL.RequestURI())
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	switch parts[0] {
	case "containerLogs":
		container := parts[3]
		if r.URL.Query().Get("previous") == "true" {
			container += ".previous"
		}
		if container == k.endless {
			k.mu.Unlock()
			defer k.mu.Lock()
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
			return
		}
		if size, ok := k.large[container]; ok {
			writeLog(w, size)
			return
		}
		if log, ok := k.logs[container]; ok {
			fmt.Fprint(w, log)
			return
		}
		http.Error(w, "container \""+container+"\" is waiting to start", http.StatusBadRequest)
	default:
		http.Error(w, "nothing runs here", http.StatusInternalServerError)
	}
}

// setEndless makes the log of a container one that does not end.
func (k *kubelet) setEndless(container string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.endless = container
}

// asked returns the requests that begin so.
func (k *kubelet) asked(prefix string) []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	var found []string
	for _, request := range k.requests {
		if strings.HasPrefix(request, prefix) {
			found = append(found, request)
		}
	}
	return found
}

// writeLog writes lines of a log that is so many bytes long.
func writeLog(w io.Writer, size int64) {
	block := []byte(strings.Repeat("2026-11-26T02:15:00.000000000Z GET /login 200 12ms user=alice session=5f3a\n", 1000))
	for size > 0 {
		n, err := w.Write(block[:min(int64(len(block)), size)])
		if err != nil {
			return
		}
		size -= int64(n)
	}
}
