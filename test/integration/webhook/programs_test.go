package webhook

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"isolate.example.io/clocks"
	"isolate.example.io/quarantine"
	"isolate.example.io/selectors"
	"isolate.example.io/sweeper"
	"isolate.example.io/sweeper/quarantinedpods"
	"isolate.example.io/test/framework/controlplane"
	"isolate.example.io/test/framework/faketime"
	"isolate.example.io/test/framework/manifests"
	"isolate.example.io/test/framework/waiting"
	"isolate.example.io/webhook"
)

// root is the repository's root, seen from this package's folder.
const root = "../../.."

// program is a webhook or a sweeper in this process, with clocks that tests can set.
type program struct {
	local   *faketime.Clock
	server  *faketime.Server
	ticker  *faketime.Ticker
	metrics *prometheus.Registry

	// url is where the webhook serves, and health where its probes are.
	url, health string
	certificate tls.Certificate
}

func newProgram() *program {
	return &program{
		local: &faketime.Clock{}, server: &faketime.Server{}, ticker: &faketime.Ticker{Ticks: make(chan time.Time)},
		metrics: prometheus.NewRegistry(),
	}
}

// manager returns a manager that reads the API server's time as the program's main does.
func (p *program) manager(t *testing.T, options manager.Options) (manager.Manager, *clocks.ServerTime) {
	t.Helper()
	serverTime := clocks.NewServerTime(clock.RealClock{})
	connection := rest.CopyConfig(cfg)
	connection.Wrap(p.server.Wrap)
	connection.Wrap(serverTime.Wrap)
	options.Metrics = metricsserver.Options{BindAddress: "0"}
	options.Controller = config.Controller{SkipNameValidation: new(true)}
	mgr, err := manager.New(connection, options)
	require.NoError(t, err)
	return mgr, serverTime
}

// run runs the manager until the test ends.
func run(t *testing.T, mgr manager.Manager) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-ended)
	})
}

// startWebhook starts a webhook, and has the API server call it until the test ends. It may
// not be ready yet.
func startWebhook(t *testing.T, p *program) {
	t.Helper()
	ports, err := controlplane.FreePorts(2)
	require.NoError(t, err)
	address, health := "127.0.0.1:"+strconv.Itoa(ports[0]), "127.0.0.1:"+strconv.Itoa(ports[1])
	p.url, p.health = "https://"+address, "http://"+health
	example := httptest.NewTLSServer(nil) // It has a certificate for 127.0.0.1.
	example.Close()
	p.certificate = example.TLS.Certificates[0]
	mgr, serverTime := p.manager(t, manager.Options{HealthProbeBindAddress: health})
	watcher, err := selectors.NewWatcher(mgr.GetConfig(), mgr.GetHTTPClient())
	require.NoError(t, err)
	require.NoError(t, mgr.Add(watcher.WithNetworkPolicies().WithEndpointSlices()))
	require.NoError(t, webhook.Setup(mgr, webhook.Options{
		Config: quarantine.DefaultConfig(), Selectors: watcher, Address: address,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &p.certificate, nil },
		ServerTime:     serverTime, Drain: webhook.NewDrain(0, clock.RealClock{}), Metrics: p.metrics, Local: p.local,
	}))
	run(t, mgr)
	p.install(t)
}

// startReadyWebhook starts a webhook and waits until it is ready.
func startReadyWebhook(t *testing.T, p *program) {
	t.Helper()
	startWebhook(t, p)
	waiting.Poll(t, p.ready, "the webhook is ready")
}

// startSweeper starts a sweeper.
func startSweeper(t *testing.T, p *program) {
	t.Helper()
	mgr, serverTime := p.manager(t, manager.Options{Cache: quarantinedpods.CacheOptions()})
	_, err := sweeper.Setup(mgr, sweeper.Options{
		Workers: 2, ReplacementTimeout: time.Hour, ServerTime: serverTime, Selectors: selectors.NewIndex(),
		Local: p.local, Elapsed: p.ticker, Metrics: p.metrics,
	})
	require.NoError(t, err)
	run(t, mgr)
}

// ready reports whether /readyz succeeds.
func (p *program) ready(ctx context.Context) (bool, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.health+"/readyz", nil)
	if err != nil {
		return false, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false, nil //nolint:nilerr // It does not listen yet.
	}
	return response.StatusCode == http.StatusOK, response.Body.Close()
}

// install creates the shipped configuration of the mutating webhook, for this webhook.
func (p *program) install(t *testing.T) {
	t.Helper()
	objects, err := manifests.Build(t.Context(), filepath.Join(server.BinaryAssetsDirectory, "kubectl"), filepath.Join(root, "manifests"), "base")
	require.NoError(t, err)
	for _, object := range objects {
		if object.GetKind() != "MutatingWebhookConfiguration" {
			continue
		}
		p.serve(t, object)
		require.NoError(t, admin.Create(t.Context(), object))
		t.Cleanup(func() { require.NoError(t, admin.Delete(context.Background(), object)) })
	}
	waitCalled(t)
}

// waitCalled waits until the API server calls the webhook, which denies an unknown value.
// Nothing is stored, because a patch that changes nothing never reaches a webhook.
func waitCalled(t *testing.T) {
	t.Helper()
	pod := create(t, newNamespace(t), "web")
	patch := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"annotations":{"`+quarantine.TriggerKey+`":"unknown"}}}`))
	waiting.Poll(t, func(ctx context.Context) (bool, error) {
		err := admin.Patch(ctx, pod.DeepCopy(), patch, client.DryRunAll)
		return err != nil && strings.Contains(err.Error(), "denied the request"), nil
	}, "the API server calls the webhook")
}

// serve replaces the shipped Service by this webhook.
func (p *program) serve(t *testing.T, configuration *unstructured.Unstructured) {
	t.Helper()
	webhooks, _, err := unstructured.NestedSlice(configuration.Object, "webhooks")
	require.NoError(t, err)
	for _, w := range webhooks {
		shipped, ok := w.(map[string]any)
		require.True(t, ok)
		path, _, err := unstructured.NestedString(shipped, "clientConfig", "service", "path")
		require.NoError(t, err)
		shipped["clientConfig"], err = runtime.DefaultUnstructuredConverter.ToUnstructured(&admissionregistrationv1.WebhookClientConfig{
			URL:      new(p.url + path),
			CABundle: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.certificate.Certificate[0]}),
		})
		require.NoError(t, err)
	}
	require.NoError(t, unstructured.SetNestedSlice(configuration.Object, webhooks, "webhooks"))
}

// metric returns a gauge or counter, summed over its labels.
func (p *program) metric(t *testing.T, name string) float64 {
	t.Helper()
	families, err := p.metrics.Gather()
	require.NoError(t, err)
	var sum float64
	for _, family := range families {
		if family.GetName() == name {
			for _, m := range family.GetMetric() {
				sum += m.GetGauge().GetValue() + m.GetCounter().GetValue()
			}
		}
	}
	return sum
}
