package upgrade

import (
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"isolate.example.io/quarantine"
	"isolate.example.io/test/framework/controlplane"
	"isolate.example.io/test/framework/installation"
	"isolate.example.io/test/framework/kubectl"
	"isolate.example.io/test/framework/load"
	"isolate.example.io/test/framework/waiting"
)

// shop is the namespace of the pods that are quarantined.
const shop = "shop"

// cluster is a control plane on which programs of both releases run.
type cluster struct {
	*testing.T
	*controlplane.ControlPlane
	admin     *kubernetes.Clientset
	installed map[release]*installation.Installation
	stopping  errgroup.Group
}

func start(t *testing.T) *cluster {
	t.Helper()
	c, err := controlplane.Start(t.Context(), controlplane.Options{Dir: filepath.Join(t.TempDir(), "control-plane"), Binaries: binaries})
	require.NoError(t, err)
	t.Cleanup(c.Stop)
	admin, err := kubernetes.NewForConfig(c.Config())
	require.NoError(t, err)
	return &cluster{T: t, ControlPlane: c, admin: admin, installed: map[release]*installation.Installation{}}
}

func (c *cluster) kubectl(args ...string) string {
	c.Helper()
	return kubectl.Run(c, c.ControlPlane, args...)
}

// apply applies the manifests of a release.
func (c *cluster) apply(r release) {
	c.Helper()
	c.kubectl("apply", "--server-side", "--kustomize="+r.manifests)
}

// deleteAdded deletes the objects that this release has and the release before has not.
func (c *cluster) deleteAdded() {
	c.Helper()
	names := func(r release) []string {
		return strings.Fields(c.kubectl("get", "--kustomize="+r.manifests, "--output=name"))
	}
	old := names(before)
	added := slices.DeleteFunc(names(this), func(name string) bool { return slices.Contains(old, name) })
	if len(added) > 0 {
		c.kubectl(append([]string{"delete", "--namespace=" + installation.Namespace}, added...)...)
	}
}

// run starts the programs of a release with the flags of what is applied, two of the webhook.
func (c *cluster) run(r release) {
	c.Helper()
	i, err := installation.Install(c.Context(), c.ControlPlane, installation.Options{Dir: c.TempDir(), Programs: r.programs, Applied: true})
	require.NoError(c, err)
	c.Cleanup(i.Stop)
	_, err = i.StartWebhook(c.Context())
	require.NoError(c, err)
	c.installed[r] = i
}

// stop stops the programs of a release as a rollout does. It does not wait for the end of
// their drain.
func (c *cluster) stop(r release) {
	for _, program := range c.installed[r].Programs() {
		c.stopping.Go(func() error { program.Stop(); return nil })
	}
}

// quarantine quarantines a pod.
func (c *cluster) quarantine(pod *corev1.Pod, annotations ...string) {
	c.Helper()
	c.kubectl(append([]string{"annotate", "pod", "--namespace=" + shop, pod.Name, quarantine.TriggerKey + "=true"}, annotations...)...)
	require.Equal(c, quarantine.QuarantinedValue, c.get(pod).Labels[quarantine.QuarantinedLabel])
}

func (c *cluster) get(pod *corev1.Pod) *corev1.Pod {
	c.Helper()
	stored, err := c.admin.CoreV1().Pods(shop).Get(c.Context(), pod.Name, metav1.GetOptions{})
	require.NoError(c, err)
	require.Equal(c, pod.UID, stored.UID)
	return stored
}

// gone waits until a pod is deleted.
func (c *cluster) gone(pod *corev1.Pod) {
	c.Helper()
	waiting.Until(c, func() bool {
		_, err := c.admin.CoreV1().Pods(shop).Get(c.Context(), pod.Name, metav1.GetOptions{})
		return apierrors.IsNotFound(err)
	}, "pod %s is gone", pod.Name)
}

// running waits until exactly count pods run, and returns them.
func (c *cluster) running(selector string, count int) []*corev1.Pod {
	c.Helper()
	var pods []*corev1.Pod
	waiting.Until(c, func() bool {
		list, err := c.admin.CoreV1().Pods(shop).List(c.Context(), metav1.ListOptions{LabelSelector: selector})
		require.NoError(c, err)
		pods = nil
		for i := range list.Items {
			if pod := &list.Items[i]; pod.Status.Phase == corev1.PodRunning && pod.DeletionTimestamp == nil {
				pods = append(pods, pod)
			}
		}
		return len(pods) == count
	}, "%d pods with %s run", count, selector)
	return pods
}

// answers waits until the stream has had some more answers.
func (c *cluster) answers(stream *load.Stream) {
	c.Helper()
	sent := stream.Sent()
	waiting.Until(c, func() bool { return stream.Sent() > sent+20*writers }, "more admissions are answered")
}

// deletion is when a quarantined pod was deleted and when it expires.
type deletion struct{ at, expiresAt time.Time }

// watchDeletions returns a function that returns the deletions of quarantined pods so far.
func (c *cluster) watchDeletions() func() map[types.UID]deletion {
	c.Helper()
	events, err := c.admin.CoreV1().Pods(shop).Watch(c.Context(), metav1.ListOptions{LabelSelector: quarantine.QuarantinedLabel})
	require.NoError(c, err)
	c.Cleanup(events.Stop)
	var mu sync.Mutex
	found := map[types.UID]deletion{}
	go func() {
		for event := range events.ResultChan() {
			pod, ok := event.Object.(*corev1.Pod)
			if !ok || pod.DeletionTimestamp == nil || pod.DeletionGracePeriodSeconds == nil {
				continue
			}
			mu.Lock()
			if _, known := found[pod.UID]; !known {
				found[pod.UID] = deletion{
					at:        pod.DeletionTimestamp.Add(-time.Duration(*pod.DeletionGracePeriodSeconds) * time.Second),
					expiresAt: quarantine.StatusOf(pod.Labels, pod.Annotations).ExpiresAt,
				}
			}
			mu.Unlock()
		}
	}()
	return func() map[types.UID]deletion {
		mu.Lock()
		defer mu.Unlock()
		require.GreaterOrEqual(c, len(found), 2, "the pods that expired")
		return found
	}
}
