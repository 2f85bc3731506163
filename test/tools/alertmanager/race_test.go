package alertmanager

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"

	"isolate.example.io/test/framework/controlplane"
	"isolate.example.io/test/framework/installation"
)

// Each Alertmanager of a cluster may send the same notification, and each request may reach
// another replica.
func TestTwoReplicasQuarantineOnce(t *testing.T) {
	t.Parallel()
	n := newNamespace(t, 5)
	replicas := []*receiver{startReceiver(t, allow(n)...), startReceiver(t, allow(n)...)}
	var alerts []alert
	for i, name := range n.serving() {
		alerts = append(alerts, firing(fmt.Sprintf("%016x", i+1), labels(n.pod(name))))
	}
	var group sync.WaitGroup
	codes := make([]int, 4*len(replicas))
	for i := range codes {
		group.Go(func() { codes[i], _ = replicas[i%len(replicas)].notify(alerts...) })
	}
	group.Wait()
	quarantined := 0
	for _, r := range replicas {
		quarantined += r.results("Quarantined")
		require.Zero(t, r.results("AlreadyQuarantined"), "it is the same alert")
		require.Zero(t, r.results("Refused"), "a conflict is resolved by reading the pod again")
	}
	require.Equal(t, len(alerts), quarantined)
	for _, code := range codes {
		require.Equal(t, http.StatusOK, code)
	}
}

// Between the reading of a pod and the patch, another replica quarantines the pod and a
// person releases it. The late patch must not quarantine it again.
func TestALatePatchDoesNotUndoARelease(t *testing.T) {
	t.Parallel()
	n := newNamespace(t, 1)
	pod := n.first()
	a := firing(fingerprint, labels(pod))
	other := startReceiver(t, allow(n)...)
	late := startReceiver(t, append(allow(n), "--kubeconfig="+beforeFirstPatch(t, func() {
		if code, body := other.notify(a); code != http.StatusOK {
			t.Error(body)
		}
		n.release(pod.Name)
	}))...)
	code, body := late.notify(a)
	require.Equal(t, http.StatusOK, code, body)
	require.Equal(t, 1, late.results("Repeated"))
	require.Zero(t, late.results("Quarantined"))
	require.False(t, n.quarantined(pod.Name))
}

// beforeFirstPatch returns a kubeconfig of the receiver's ServiceAccount, whose requests pass
// through a proxy that calls the function before the first PATCH.
func beforeFirstPatch(t *testing.T, call func()) string {
	t.Helper()
	config, err := cluster.ServiceAccountConfig(t.Context(), installation.Namespace, "isolate-alert-receiver")
	require.NoError(t, err)
	server, err := url.Parse(config.Host)
	require.NoError(t, err)
	transport, err := rest.TransportFor(config)
	require.NoError(t, err)
	var once sync.Once
	proxy := &httputil.ReverseProxy{Transport: transport, Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(server)
		if r.In.Method == http.MethodPatch {
			once.Do(call)
		}
	}}
	front := httptest.NewServer(proxy)
	t.Cleanup(front.Close)
	file := filepath.Join(t.TempDir(), "kubeconfig")
	require.NoError(t, controlplane.WriteKubeconfig(&rest.Config{Host: front.URL}, file))
	return file
}
