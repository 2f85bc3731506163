package faults

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/util/wait"

	"isolate.example.io/test/faults/network"
	"isolate.example.io/test/framework/controlplane"
	"isolate.example.io/test/framework/installation"
)

const (
	// replicas is how many replicas each program has.
	replicas = 2

	// lease is shorter than as shipped, so that another sweeper takes over within a minute
	// however often a scenario stops the leader.
	lease = 5 * time.Second
)

// world is a cluster that several scenarios use one after the other, and a supervisor that
// restarts what has ended, as a kubelet does.
type world struct {
	*cluster
	stop       context.CancelFunc
	supervisor sync.WaitGroup

	// usage is what each process used when it was first measured in its role.
	usage map[process]usage
}

// detached is a test whose context and cleanups last until the world is closed, which is
// longer than one scenario.
type detached struct {
	testing.TB
	ctx context.Context

	mu       sync.Mutex
	cleanups []func()
	dirs     []string
}

func (d *detached) Context() context.Context { return d.ctx }

func (d *detached) Cleanup(f func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cleanups = append(d.cleanups, f)
}

func (d *detached) TempDir() string {
	dir, err := os.MkdirTemp("", "isolate-faults-")
	require.NoError(d, err)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dirs = append(d.dirs, dir)
	return dir
}

func newWorld(t *testing.T) *world {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	d := &detached{TB: t, ctx: ctx}
	w := &world{stop: stop, usage: map[process]usage{}}
	w.cluster = start(d, controlplane.Options{Nodes: 1}, installation.Options{Programs: settable, SweeperFlags: []string{"--lease-duration=" + lease.String()}})
	for range replicas - 1 {
		_, err := w.isolate.StartWebhook(ctx)
		require.NoError(t, err)
		_, err = w.isolate.StartSweeper(ctx)
		require.NoError(t, err)
	}
	w.supervise(ctx)
	return w
}

// supervise restarts what has ended until the context ends. A replica of isolate is started when
// it is ready, for which it needs the API server, so nothing else waits for that.
func (w *world) supervise(ctx context.Context) {
	repeat := func(f func()) {
		w.supervisor.Go(func() { wait.UntilWithContext(ctx, func(context.Context) { f() }, 200*time.Millisecond) })
	}
	repeat(func() {
		for _, program := range []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok"} {
			select {
			case <-w.Process(program).Done():
				_ = w.Restart(ctx, program) // It is tried again.
			default:
			}
		}
	})
	repeat(func() {
		if len(w.replicas("webhook")) < replicas {
			_, _ = w.isolate.StartWebhook(ctx)
		}
	})
	repeat(func() {
		if len(w.replicas("sweeper")) < replicas {
			_, _ = w.isolate.StartSweeper(ctx)
		}
	})
}

// close stops everything.
func (w *world) close() {
	w.stop()
	w.supervisor.Wait()
	d := w.TB.(*detached)
	for _, cleanup := range slices.Backward(d.cleanups) {
		cleanup()
	}
	for _, dir := range d.dirs {
		os.RemoveAll(dir)
	}
}

// keep copies the logs of all programs into the build folder.
func (w *world) keep(t *testing.T, seed uint64) {
	t.Helper()
	root, err := controlplane.Root()
	require.NoError(t, err)
	folder := filepath.Join(root, ".build", "faults", strconv.FormatUint(seed, 10))
	for i, dir := range w.TB.(*detached).dirs {
		_ = filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".log") {
				return nil //nolint:nilerr // Something else is at fault.
			}
			relative, _ := filepath.Rel(dir, path)
			to := filepath.Join(folder, strconv.Itoa(i), relative)
			data, _ := os.ReadFile(path)
			_ = os.MkdirAll(filepath.Dir(to), 0o755)
			return os.WriteFile(to, data, 0o600)
		})
	}
	t.Logf("the logs of all programs are in %s", folder)
}

// links returns the links between two kinds of programs, such as every webhook's to the API
// server.
func (w *world) linksBetween(from, to string) []*network.Link {
	w.mu.Lock()
	defer w.mu.Unlock()
	var found []*network.Link
	for r, link := range w.links {
		if strings.HasPrefix(r.from, from) && strings.HasPrefix(r.to, to) {
			found = append(found, link)
		}
	}
	return found
}
