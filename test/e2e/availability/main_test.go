package availability

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"isolate.example.io/quarantine"
	"isolate.example.io/test/framework/controlplane"
	"isolate.example.io/test/framework/installation"
)

const (
	// patience bounds every wait.
	patience = 2 * time.Minute
	// interval is how often a condition is looked at.
	interval = 25 * time.Millisecond
)

var (
	// admissions is how many are sent while replicas are restarted.
	admissions = flag.Int64("admissions", 5000, "how many admissions to send while replicas are restarted")

	// binaries and programs are the folders of the control plane and of isolate.
	binaries, programs string
)

func TestMain(m *testing.M) {
	flag.Parse()
	log.SetLogger(logr.Discard())
	var err error
	if binaries, programs, err = installation.BuildAll(context.Background(), os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// cluster is a control plane of a test's own, with isolate on it.
type cluster struct {
	*testing.T
	*controlplane.ControlPlane
	isolate *installation.Installation
	admin   *kubernetes.Clientset
}

// start starts a control plane, and installs isolate unless the test does.
func start(t *testing.T, options controlplane.Options) *cluster {
	t.Helper()
	options.Dir, options.Binaries = filepath.Join(t.TempDir(), "control-plane"), binaries
	c, err := controlplane.Start(t.Context(), options)
	require.NoError(t, err)
	t.Cleanup(c.Stop)
	admin, err := kubernetes.NewForConfig(c.Config())
	require.NoError(t, err)
	return &cluster{T: t, ControlPlane: c, admin: admin}
}

func (c *cluster) install(options installation.Options) {
	c.Helper()
	options.Dir, options.Programs = c.TempDir(), programs
	var err error
	c.isolate, err = installation.Install(c.Context(), c.ControlPlane, options)
	require.NoError(c, err)
	c.Cleanup(c.isolate.Stop)
}

// kubectl runs kubectl, and returns what a person would see.
func (c *cluster) kubectl(args ...string) string {
	c.Helper()
	screen, err := c.tryKubectl(args...)
	require.NoError(c, err, screen)
	return screen
}

// tryKubectl is kubectl for what may fail.
func (c *cluster) tryKubectl(args ...string) (string, error) {
	out, err := c.KubectlCommand(c.Context(), args...).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// quarantine quarantines a pod as a person does; the pod is then what is stored.
func (c *cluster) quarantine(pod *corev1.Pod, annotations ...string) {
	c.Helper()
	c.kubectl(append([]string{"annotate", "pod", "--namespace=" + pod.Namespace, pod.Name, quarantine.TriggerKey + "=true"}, annotations...)...)
	stored, err := c.admin.CoreV1().Pods(pod.Namespace).Get(c.Context(), pod.Name, metav1.GetOptions{})
	require.NoError(c, err)
	*pod = *stored
}

// running waits for that many pods to run, and returns them.
func (c *cluster) running(namespace, selector string, count int) []*corev1.Pod {
	c.Helper()
	var pods []*corev1.Pod
	c.until(func() bool {
		list, err := c.admin.CoreV1().Pods(namespace).List(c.Context(), metav1.ListOptions{LabelSelector: selector})
		require.NoError(c, err)
		pods = nil
		for i := range list.Items {
			if pod := &list.Items[i]; pod.Status.Phase == corev1.PodRunning && pod.DeletionTimestamp == nil {
				pods = append(pods, pod)
			}
		}
		return len(pods) == count
	}, "%d pods in %s with %s run", count, namespace, selector)
	return pods
}

// until waits for a condition.
func (c *cluster) until(condition func() bool, what string, args ...any) {
	c.Helper()
	err := wait.PollUntilContextTimeout(c.Context(), interval, patience, true, func(context.Context) (bool, error) {
		return condition(), nil
	})
	require.NoErrorf(c, err, "waiting until "+what, args...)
}
