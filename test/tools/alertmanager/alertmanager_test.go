package alertmanager

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"isolate.example.io/test/framework/controlplane"
	"isolate.example.io/test/framework/waiting"
)

// people is what the receiver "people" of Alertmanager notifies.
type people struct {
	*httptest.Server

	mu     sync.Mutex
	alerts []alert
}

func newPeople(t testing.TB) *people {
	p := &people{}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var got payload
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.alerts = append(p.alerts, got.Alerts...)
	}))
	t.Cleanup(p.Close)
	return p
}

// toldOf reports whether people were notified that an alert about the pod fires.
func (p *people) toldOf(pod string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.ContainsFunc(p.alerts, func(a alert) bool { return a.Labels["pod"] == pod && a.Status == "firing" })
}

// shipped returns the shipped configuration of Alertmanager.
func shipped(t testing.TB) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, example, "alertmanager.yaml"))
	require.NoError(t, err)
	return string(data)
}

// replace replaces pairs of text in a configuration, each of which must be there.
func replace(t testing.TB, config string, pairs ...string) string {
	t.Helper()
	for pair := range slices.Chunk(pairs, 2) {
		require.Contains(t, config, pair[0])
		config = strings.ReplaceAll(config, pair[0], pair[1])
	}
	return config
}

// alertmanager is a running Alertmanager.
type alertmanager struct {
	testing.TB
	url string
}

// startAlertmanager starts Alertmanager with a configuration, in which it replaces the
// addresses of the receiver and of people, and the path of the token.
func startAlertmanager(t testing.TB, config string, r *receiver, p *people) *alertmanager {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "alertmanager.yaml")
	config = replace(t, config,
		"isolate-alert-receiver.isolate-system.svc:9095", r.address(),
		"/etc/alertmanager/secrets/isolate-alert-receiver-token/token", tokenFile,
		"- name: people\n", "- name: people\n  webhook_configs:\n  - url: "+p.URL+"\n")
	require.NoError(t, os.WriteFile(file, []byte(config), 0o600))
	var a *alertmanager
	waiting.NoError(t, func() error { // Another process may take the port.
		ports, err := controlplane.FreePorts(1)
		if err != nil {
			return err
		}
		address := "127.0.0.1:" + strconv.Itoa(ports[0])
		a = &alertmanager{t, "http://" + address}
		process, err := controlplane.StartProcess(dir, "alertmanager", filepath.Join(tools, "alertmanager"),
			"--config.file="+file, "--storage.path="+filepath.Join(dir, "data"), "--web.listen-address="+address, "--cluster.listen-address=")
		if err != nil {
			return err
		}
		t.Cleanup(process.Kill)
		return a.waitReady(process)
	}, "Alertmanager runs")
	return a
}

func (a *alertmanager) waitReady(process *controlplane.Process) error {
	ticker := time.NewTicker(waiting.Interval)
	defer ticker.Stop()
	for {
		request, err := http.NewRequestWithContext(a.Context(), http.MethodGet, a.url+"/-/ready", nil)
		if err != nil {
			return err
		}
		if response, err := http.DefaultClient.Do(request); err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-process.Done():
			return process.Err()
		case <-ticker.C:
		}
	}
}

// amtool runs amtool, and returns its output.
func amtool(t testing.TB, args ...string) string {
	t.Helper()
	output, err := exec.CommandContext(t.Context(), filepath.Join(tools, "amtool"), args...).CombinedOutput()
	require.NoError(t, err, string(output))
	return string(output)
}

// add sends an alert with amtool. Flags may follow the labels.
func (a *alertmanager) add(args ...string) {
	a.Helper()
	amtool(a, append([]string{"alert", "add", "--no-version-check", "--alertmanager.url=" + a.url}, args...)...)
}
