package sweeper

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	coordinationv1 "k8s.io/api/coordination/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"isolate.example.io/test/framework/controlplane"
	"isolate.example.io/test/gen"
)

// The test runs the program itself, and kills it while pods expire.
func TestStandbyTakesOverFromKilledLeader(t *testing.T) {
	namespace := newNamespace(t)
	p := build(t, namespace)
	leader := p.start(t, "one")
	eventually(t, "a sweeper leads", func(ctx context.Context) (bool, error) {
		held := &coordinationv1.Lease{}
		err := admin.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "isolate-sweeper"}, held)
		return err == nil && held.Spec.HolderIdentity != nil, client.IgnoreNotFound(err)
	})
	p.start(t, "two")
	gone := watchDeletions(t, namespace)
	at := seconds(3)
	createMany(t, namespace, "web-", 200, gen.Expires(at))
	createMany(t, namespace, "held-", 5, held)
	gone.wait(t, 20, "web-")
	leader.Kill()
	killed := time.Now()
	deleted := gone.wait(t, 200, "web-")
	t.Logf("all deleted %s after the kill, with a lease of %s", time.Since(killed).Round(time.Millisecond), lease)
	for pod, when := range deleted {
		require.False(t, when.Before(at), "%s was deleted early", pod)
	}
	require.Empty(t, gone.with("held-"))
}

func TestStandbyIsReady(t *testing.T) {
	namespace := newNamespace(t)
	p := build(t, namespace)
	for _, name := range []string{"one", "two"} {
		process := p.start(t, name)
		var address string
		eventually(t, "the health server listens", func(context.Context) (bool, error) {
			var err error
			address, err = healthAddress(process.Log)
			return address != "", err
		})
		for _, path := range []string{"/healthz", "/readyz"} {
			eventually(t, path+" responds with 200", func(ctx context.Context) (bool, error) {
				request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+path, nil)
				if err != nil {
					return false, err
				}
				response, err := http.DefaultClient.Do(request)
				if err != nil {
					return false, err
				}
				return response.StatusCode == http.StatusOK, response.Body.Close()
			})
		}
	}
}

// program is the binary of cmd/sweeper, with what it needs to run.
type program struct {
	dir, namespace string
}

func build(t *testing.T, namespace string) program {
	t.Helper()
	p := program{dir: t.TempDir(), namespace: namespace}
	command := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(p.dir, "sweeper"), "isolate.example.io/cmd/sweeper")
	output, err := command.CombinedOutput()
	require.NoError(t, err, string(output))
	user, err := server.AddUser(envtest.User{Name: "sweeper", Groups: []string{"system:masters"}}, nil)
	require.NoError(t, err)
	kubeconfig, err := user.KubeConfig()
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(p.dir, "kubeconfig"), kubeconfig, 0o600))
	return p
}

func (p program) start(t *testing.T, name string, flags ...string) *controlplane.Process {
	t.Helper()
	process, err := controlplane.StartProcess(p.dir, name, filepath.Join(p.dir, "sweeper"), append([]string{
		"--kubeconfig=" + filepath.Join(p.dir, "kubeconfig"),
		"--leader-election-namespace=" + p.namespace,
		"--lease-duration=" + lease.String(),
		"--health-address=127.0.0.1:0",
		"--metrics-address=127.0.0.1:0",
	}, flags...)...)
	require.NoError(t, err)
	t.Cleanup(process.Stop)
	return process
}

// healthAddress returns the address of the health server, from the program's log.
func healthAddress(path string) (string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(data)) {
		var entry struct{ Name, Addr string }
		if json.Unmarshal([]byte(line), &entry) == nil && entry.Name == "health probe" {
			return entry.Addr, nil
		}
	}
	return "", nil
}
