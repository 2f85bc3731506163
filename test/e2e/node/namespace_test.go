//go:build linux

package node

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"isolate.example.io/quarantine"
	"isolate.example.io/test/framework/controlplane"
	"isolate.example.io/test/framework/waiting"
)

// namespace is one test's own.
type namespace struct {
	*testing.T
	name string
}

func newNamespace(t *testing.T) *namespace {
	t.Helper()
	created, err := admin.CoreV1().Namespaces().Create(t.Context(),
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "node-"}}, metav1.CreateOptions{})
	require.NoError(t, err)
	n := &namespace{T: t, name: created.Name}
	n.until(func() bool {
		_, err := admin.CoreV1().ServiceAccounts(n.name).Get(t.Context(), "default", metav1.GetOptions{})
		return err == nil
	}, "the namespace has its ServiceAccount")
	return n
}

// command is kubectl in the namespace, with the plugin in its PATH.
func (n *namespace) command(ctx context.Context, args ...string) *exec.Cmd {
	n.Helper()
	root, err := controlplane.Root()
	require.NoError(n, err)
	cmd := exec.CommandContext(ctx, cluster.Kubectl(), args...)
	// A plugin takes its own flags only, so the namespace goes behind them.
	cmd.Args = append(cmd.Args[:1:1], withNamespace(n.name, args)...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+cluster.Kubeconfig(), "PATH="+filepath.Join(root, pluginFolder)+":"+os.Getenv("PATH"))
	return cmd
}

// withNamespace puts the namespace before a command that a container runs.
func withNamespace(name string, args []string) []string {
	for i, arg := range args {
		if arg == "--" {
			return append(append(args[:i:i], "--namespace="+name), args[i:]...)
		}
	}
	return append(slices.Clip(args), "--namespace="+name)
}

// try runs kubectl and returns what a person sees.
func (n *namespace) try(args ...string) (string, error) {
	n.Helper()
	ctx, cancel := context.WithTimeout(n.Context(), waiting.Patience)
	defer cancel()
	out, err := n.command(ctx, args...).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func (n *namespace) kubectl(args ...string) string {
	n.Helper()
	screen, err := n.try(args...)
	require.NoError(n, err, "kubectl %s\n%s", strings.Join(args, " "), screen)
	return screen
}

// exec runs a program in the pod's container.
func (n *namespace) exec(pod string, command ...string) string {
	n.Helper()
	return n.kubectl(append([]string{"exec", pod, "--container=web", "--"}, command...)...)
}

// get asks the server in the pod, from within the pod.
func (n *namespace) get(pod, path string) string {
	n.Helper()
	return n.exec(pod, "workload", "get", path)
}

// post tells the server in the pod to misbehave, or to keep a value.
func (n *namespace) post(pod, path string) {
	n.Helper()
	n.exec(pod, "workload", "post", path)
}

// quarantine quarantines a pod as a person does, and returns the answer and when it came.
func (n *namespace) quarantine(pod string, annotations ...string) (answer string, at time.Time) {
	n.Helper()
	n.until(func() bool {
		var err error
		answer, err = n.try(append([]string{"annotate", "pod", pod, quarantine.TriggerKey + "=true"}, annotations...)...)
		at = time.Now()
		// On a busy machine the webhook may ask for another try.
		require.True(n, err == nil || strings.Contains(answer, "nothing was changed, retry"), answer)
		return err == nil
	}, "pod %s is quarantined", pod)
	return answer, at
}

func (n *namespace) pod(name string) *corev1.Pod {
	n.Helper()
	pod, err := admin.CoreV1().Pods(n.name).Get(n.Context(), name, metav1.GetOptions{})
	require.NoError(n, err)
	return pod
}

func ready(pod *corev1.Pod) bool {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady {
			return condition.Status == corev1.ConditionTrue && pod.DeletionTimestamp == nil
		}
	}
	return false
}

// ready waits until a selector has so many Ready pods, and returns them.
func (n *namespace) ready(selector string, count int) []corev1.Pod {
	n.Helper()
	var found []corev1.Pod
	n.until(func() bool {
		list, err := admin.CoreV1().Pods(n.name).List(n.Context(), metav1.ListOptions{LabelSelector: selector})
		require.NoError(n, err)
		found = nil
		for _, pod := range list.Items {
			if ready(&pod) {
				found = append(found, pod)
			}
		}
		return len(found) == count
	}, "%d pods with %s are Ready", count, selector)
	return found
}

func (n *namespace) until(condition func() bool, what string, args ...any) {
	n.Helper()
	waiting.Until(n, condition, what, args...)
}

func names(pods []corev1.Pod) (names []string) {
	for _, pod := range pods {
		names = append(names, pod.Name)
	}
	return names
}
