package availability

import (
	"flag"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"isolate.example.io/quarantine"
	"isolate.example.io/test/framework/controlplane"
	"isolate.example.io/test/framework/installation"
	"isolate.example.io/test/framework/kubectl"
	"isolate.example.io/test/framework/suite"
	"isolate.example.io/test/framework/waiting"
)

var (
	// admissions is the number of admissions to send while replicas restart.
	admissions = flag.Int64("admissions", 5000, "number of admissions to send while replicas restart")

	// binaries and programs are the folders with the control plane's and isolate's programs.
	binaries, programs string
)

func TestMain(m *testing.M) {
	suite.Main(m, func(s *suite.Suite) (err error) {
		if binaries, err = s.Binaries(); err != nil {
			return err
		}
		programs, err = s.Programs()
		return err
	})
}

// cluster is one test's own control plane with isolate installed.
type cluster struct {
	*testing.T
	*controlplane.ControlPlane
	isolate *installation.Installation
	admin   *kubernetes.Clientset
}

// start starts a control plane. Tests install isolate themselves.
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

func (c *cluster) kubectl(args ...string) string {
	c.Helper()
	return kubectl.Run(c, c.ControlPlane, args...)
}

func (c *cluster) tryKubectl(args ...string) (string, error) {
	return kubectl.Try(c.Context(), c.ControlPlane, nil, args...)
}

// quarantine quarantines a pod with kubectl and updates pod to what is stored.
func (c *cluster) quarantine(pod *corev1.Pod, annotations ...string) {
	c.Helper()
	screen := c.kubectl(append([]string{"annotate", "pod", "--output=json", "--namespace=" + pod.Namespace, pod.Name, quarantine.TriggerKey + "=true"}, annotations...)...)
	stored, _, err := kubectl.StoredPod(screen)
	require.NoError(c, err)
	*pod = *stored
}

// running waits until exactly count pods run, and returns them.
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

func (c *cluster) until(condition func() bool, what string, args ...any) {
	c.Helper()
	waiting.Until(c, condition, what, args...)
}
