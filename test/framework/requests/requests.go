package requests

import (
	"context"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

// discovery is what the API server answers about its resources.
var discovery = map[string]string{
	"/api":    `{"kind":"APIVersions","versions":["v1"]}`,
	"/apis":   `{"kind":"APIGroupList","apiVersion":"v1","groups":[]}`,
	"/api/v1": `{"kind":"APIResourceList","groupVersion":"v1","resources":[{"name":"pods","kind":"Pod","namespaced":true,"verbs":["list","watch"]}]}`,
}

// For runs a program until it sends a request whose path contains a text, stops it, and
// returns that request. The API server that it is sent to knows pods only, and is otherwise
// unavailable.
func For(t *testing.T, text string, run func(context.Context) error) *http.Request {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	requests := make(chan *http.Request)
	server := httptest.NewTLSServer(http.HandlerFunc(func(response http.ResponseWriter, request *http.Request) {
		if strings.Contains(request.URL.Path, text) {
			select {
			case requests <- request:
			case <-ctx.Done():
			}
		}
		response.Header().Set("Content-Type", "application/json")
		answer, known := discovery[request.URL.Path]
		if !known {
			response.WriteHeader(http.StatusServiceUnavailable)
		}
		_, _ = response.Write([]byte(answer))
	}))
	t.Cleanup(server.Close)
	config := api.NewConfig()
	config.Clusters["fake"] = &api.Cluster{
		Server:                   server.URL,
		CertificateAuthorityData: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}),
	}
	config.Contexts["fake"] = &api.Context{Cluster: "fake"}
	config.CurrentContext = "fake"
	file := filepath.Join(t.TempDir(), "kubeconfig")
	require.NoError(t, clientcmd.WriteToFile(*config, file))
	t.Setenv(clientcmd.RecommendedConfigPathEnvVar, file)

	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	select {
	case request := <-requests:
		cancel()
		require.NoError(t, <-ended, "the program stops while the API server is unavailable")
		return request
	case err := <-ended:
		t.Fatalf("the program ended: %v", err)
		return nil
	}
}
