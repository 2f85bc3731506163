package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"isolate.example.io/certs"
	"isolate.example.io/certs/authority"
	"isolate.example.io/test/framework/controlplane"
)

// process is a measured program: isolate's or an alternative.
type process struct {
	*controlplane.Process
	metricsURL string

	// Only for webhooks.
	port    int
	certDir string
}

// url returns the URL of a webhook.
func (p *process) url(path string) string { return fmt.Sprintf("https://127.0.0.1:%d%s", p.port, path) }

// startAlternative starts an alternative and returns when it is ready.
func (b *bench) startAlternative(c *cluster, name string) (*process, error) {
	executable, err := os.Executable()
	if err != nil {
		return nil, err
	}
	ports, err := controlplane.FreePorts(3)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(c.dir, name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	if err := writeCertificate(dir); err != nil {
		return nil, err
	}
	health, metrics := "127.0.0.1:"+strconv.Itoa(ports[0]), "127.0.0.1:"+strconv.Itoa(ports[1])
	p := &process{metricsURL: "http://" + metrics, port: ports[2], certDir: dir}
	p.Process, err = controlplane.StartProcess(dir, name, executable, alternative, name, "--kubeconfig="+c.Kubeconfig(),
		"--health-address="+health, "--metrics-address="+metrics, "--port="+strconv.Itoa(p.port), "--cert-dir="+dir)
	if err != nil {
		return nil, err
	}
	b.cleanups = append(b.cleanups, p.Kill)
	return p, b.until(name+" is ready", func(ctx context.Context) bool {
		response, err := get(ctx, "http://"+health+"/readyz")
		if err != nil {
			return false
		}
		response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
}

// withVariable calls a function with an environment variable, which the programs that it
// starts inherit.
func withVariable(name, value string, do func() error) (err error) {
	if err := os.Setenv(name, value); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Unsetenv(name)) }()
	return do()
}

// writeCertificate writes a certificate for 127.0.0.1 to a folder.
func writeCertificate(dir string) error {
	ca, err := authority.NewCA(time.Now(), time.Hour)
	if err != nil {
		return err
	}
	leaf, err := ca.Issue(time.Now(), []string{"localhost"}, []string{"127.0.0.1"}, time.Hour)
	if err != nil {
		return err
	}
	for name, data := range map[string][]byte{certs.CAFile: ca.CertPEM, certs.KeyFile: leaf.KeyPEM, certs.CertFile: leaf.CertPEM} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			return err
		}
	}
	return nil
}

func get(ctx context.Context, url string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	return http.DefaultClient.Do(request)
}

// measures are the metrics of a program at one time.
type measures map[string]*dto.MetricFamily

func (p *process) measures(ctx context.Context) (measures, error) {
	response, err := get(ctx, p.metricsURL+"/metrics")
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	return parser.TextToMetricFamilies(response.Body)
}

// sum adds up all series of a metric, or those with these labels.
func (m measures) sum(name string, pairs ...string) float64 {
	var total float64
	for _, metric := range m[name].GetMetric() {
		if has(metric, pairs) {
			total += metric.GetCounter().GetValue() + metric.GetGauge().GetValue() + metric.GetUntyped().GetValue() +
				float64(metric.GetHistogram().GetSampleCount())
		}
	}
	return total
}

func has(metric *dto.Metric, pairs []string) bool {
	values := map[string]string{}
	for _, label := range metric.GetLabel() {
		values[label.GetName()] = label.GetValue()
	}
	for i := 0; i < len(pairs); i += 2 {
		if values[pairs[i]] != pairs[i+1] {
			return false
		}
	}
	return true
}

// memory is the memory of a program whose caches are synced.
type memory struct {
	heap     float64 // live after a garbage collection
	resident float64
	peak     float64 // the maximum resident set size
}

// settled waits for two garbage collections and then measures the memory. Scraping the
// metrics produces the garbage that triggers them.
func (b *bench) settled(p *process) (memory, error) {
	const cycles = "go_gc_cycles_total_gc_cycles_total"
	first, err := p.measures(b.ctx)
	if err != nil {
		return memory{}, err
	}
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		m, err := p.measures(b.ctx)
		if err != nil {
			return memory{}, err
		}
		if m.sum(cycles) >= first.sum(cycles)+2 {
			return memory{
				heap:     m.sum("go_gc_heap_live_bytes"),
				resident: m.sum("process_resident_memory_bytes"),
				peak:     peak(p.PID()),
			}, nil
		}
	}
	return memory{}, fmt.Errorf("%s: no garbage was collected for %s", p.Name, patience)
}

// peak returns the maximum resident set size of a process, 0 if the system has none.
func peak(pid int) float64 {
	kilobytes, _, _ := strings.Cut(lineOf(fmt.Sprintf("/proc/%d/status", pid), "VmHWM:"), " ")
	n, _ := strconv.ParseFloat(kilobytes, 64)
	return n * 1024
}
