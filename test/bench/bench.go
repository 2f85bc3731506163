package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	goruntime "runtime"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"isolate.example.io/test/bench/figures"
	"isolate.example.io/test/framework/controlplane"
	"isolate.example.io/test/framework/installation"
)

const (
	// namespace is the namespace of the measured pods.
	namespace = "bench"

	// patience bounds every wait.
	patience = 5 * time.Minute
	// interval is the time between two checks of a condition.
	interval = 10 * time.Millisecond
)

// bench is a run with its results.
type bench struct {
	ctx                     context.Context
	quick                   bool
	dir, binaries, programs string

	row      string
	cleanups []func()
	planes   int
	failed   []string
	figures  []figures.Figure
}

// runRow runs one benchmark and stops what it started.
func (b *bench) runRow(name string, run func(*bench) error) error {
	b.row = name
	defer func() {
		for _, v := range slices.Backward(b.cleanups) {
			v()
		}
		b.cleanups = nil
	}()
	return run(b)
}

func (b *bench) add(f figures.Figure) {
	f.Row = b.row
	b.figures = append(b.figures, f)
}

// size returns the full number, or the small one in a quick run.
func (b *bench) size(full, quick int) int {
	if b.quick {
		return quick
	}
	return full
}

// cluster is a control plane with isolate.
type cluster struct {
	*controlplane.ControlPlane
	client *kubernetes.Clientset
	dir    string

	isolate *installation.Installation
}

// start starts a control plane for one row.
func (b *bench) start(options controlplane.Options) (*cluster, error) {
	b.planes++
	c := &cluster{dir: filepath.Join(b.dir, fmt.Sprint("plane-", b.planes))}
	options.Dir, options.Binaries = filepath.Join(c.dir, "control-plane"), b.binaries
	var err error
	if c.ControlPlane, err = controlplane.Start(b.ctx, options); err != nil {
		return nil, err
	}
	b.cleanups = append(b.cleanups, func() {
		c.Stop()
		os.RemoveAll(c.dir)
	})
	config := c.Config()
	config.ContentType = runtime.ContentTypeProtobuf
	config.WarningHandler = rest.NoWarnings{}
	if c.client, err = kubernetes.NewForConfig(config); err != nil {
		return nil, err
	}
	_, err = c.client.CoreV1().Namespaces().Create(b.ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, metav1.CreateOptions{})
	return c, err
}

// startIsolated starts a control plane with isolate's webhook, without budgets. The
// rows that need the sweeper start it.
func (b *bench) startIsolated(options controlplane.Options) (*cluster, error) {
	c, err := b.start(options)
	if err != nil {
		return nil, err
	}
	if options.APIServerOnly {
		if err := c.ownPod(b.ctx); err != nil {
			return nil, err
		}
	}
	c.isolate, err = installation.Install(b.ctx, c.ControlPlane, installation.Options{
		Dir: filepath.Join(c.dir, "isolate"), Programs: b.programs, WebhookFlags: []string{"--controller-budget=0", "--namespace-budget=0"},
	})
	if err != nil {
		return nil, err
	}
	b.cleanups = append(b.cleanups, c.isolate.Stop)
	c.program("sweeper").Stop() // The webhook has its certificate. Rows start the sweeper again.
	return c, nil
}

// ownPod creates a pod in isolate's namespace, where no controller creates any here:
// the installation tries the policies on it.
func (c *cluster) ownPod(ctx context.Context) error {
	_, err := c.client.CoreV1().Namespaces().Create(ctx,
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: installation.Namespace}}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "own"},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "own", Image: "own"}}},
	}
	_, err = c.client.CoreV1().Pods(installation.Namespace).Create(ctx, pod, metav1.CreateOptions{})
	return err
}

// webhook returns the running replica.
func (c *cluster) webhook() *installation.Program { return c.program("webhook") }

// program returns the first program with that name, which Install started.
func (c *cluster) program(name string) *installation.Program {
	for _, p := range c.isolate.Programs() {
		if p.Name == name {
			return p
		}
	}
	return nil
}

// until waits for a condition.
func (b *bench) until(what string, condition func(context.Context) bool) error {
	err := wait.PollUntilContextTimeout(b.ctx, interval, patience, true, func(ctx context.Context) (bool, error) { return condition(ctx), nil })
	if err != nil {
		return fmt.Errorf("waiting until %s: %w", what, err)
	}
	return nil
}

// environment describes where the figures were measured.
type environment struct {
	Date       string `json:"date"`
	Took       string `json:"took"`
	Kubernetes string `json:"kubernetes"`
	Go         string `json:"go"`
	CPU        string `json:"cpu"`
	Cores      int    `json:"cores"`
	Load       string `json:"load"`
	Controller string `json:"controllerManager"`
	Quick      bool   `json:"quick"`

	// Failed lists the rows that failed.
	Failed []string `json:"failed,omitempty"`
}

func (b *bench) environment(took time.Duration) environment {
	return environment{
		Date: time.Now().UTC().Format("2006-01-02 15:04 UTC"), Took: took.Round(time.Second).String(),
		Kubernetes: controlplane.Version, Go: goruntime.Version(), CPU: lineOf("/proc/cpuinfo", "model name"), Cores: goruntime.NumCPU(),
		Load:       lineOf("/proc/loadavg", ""),
		Controller: "--kube-api-qps=500 --kube-api-burst=1000",
		Quick:      b.quick, Failed: b.failed,
	}
}

// String returns one paragraph.
func (e environment) String() string {
	more := ""
	if e.Quick {
		more = " A quick run: the figures mean nothing."
	}
	if len(e.Failed) > 0 {
		more += " Not measured, because of an error: " + strings.Join(e.Failed, ", ") + "."
	}
	return fmt.Sprintf("Measured on %s, in %s, with Kubernetes %s, %s, %d cores (%s, load at the end %s), kube-controller-manager with %s.%s\n",
		e.Date, e.Took, e.Kubernetes, e.Go, e.Cores, e.CPU, e.Load, e.Controller, more)
}

// lineOf returns the rest of a file's first line with the prefix, or "unknown".
func lineOf(path, prefix string) string {
	data, _ := os.ReadFile(path)
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, prefix); ok {
			return strings.Trim(rest, "\t\n :")
		}
	}
	return "unknown"
}
