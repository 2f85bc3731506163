package plugin

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"isolate.example.io/quarantine"
	"isolate.example.io/test/framework/controlplane"
	"isolate.example.io/test/framework/waiting"
)

// namespace is the namespace of one test, with the kubeconfig of the user who runs the
// plugin there.
type namespace struct {
	*testing.T
	name       string
	kubeconfig string
}

func newNamespace(t *testing.T) *namespace {
	t.Helper()
	created, err := admin.CoreV1().Namespaces().Create(t.Context(),
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "plugin-"}}, metav1.CreateOptions{})
	require.NoError(t, err)
	n := &namespace{T: t, name: created.Name}
	n.kubeconfig = n.kubeconfigOf(cluster.Config())
	return n
}

// kubeconfigOf is a kubeconfig whose context is in the namespace.
func (n *namespace) kubeconfigOf(config *rest.Config) string {
	n.Helper()
	path := filepath.Join(n.TempDir(), "kubeconfig")
	require.NoError(n, controlplane.WriteKubeconfig(config, path))
	content, err := os.ReadFile(path)
	require.NoError(n, err)
	content = bytes.ReplaceAll(content, []byte("namespace: default"), []byte("namespace: "+n.name))
	require.NoError(n, os.WriteFile(path, content, 0o600))
	return path
}

// as is the same namespace for a user who may do only this there.
func (n *namespace) as(user string, rules ...rbacv1.PolicyRule) *namespace {
	n.Helper()
	role := &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: user}, Rules: rules}
	_, err := admin.RbacV1().Roles(n.name).Create(n.Context(), role, metav1.CreateOptions{})
	require.NoError(n, err)
	_, err = admin.RbacV1().RoleBindings(n.name).Create(n.Context(), &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: user},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: user},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
	}, metav1.CreateOptions{})
	require.NoError(n, err)
	limited := *n
	limited.kubeconfig = n.kubeconfigOf(cluster.UserConfig(user))
	return &limited
}

// may is a rule for one resource.
func may(group, resource string, verbs ...string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{APIGroups: []string{group}, Resources: []string{resource}, Verbs: verbs}
}

// result is what a run of the plugin printed, and its exit code.
type result struct {
	out, errOut string
	code        int
}

// command is kubectl isolate with these arguments, through the real kubectl.
func (n *namespace) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, cluster.Kubectl(), append([]string{"isolate"}, args...)...)
	cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "KUBECONFIG="+n.kubeconfig, "HOME="+n.TempDir())
	return cmd
}

func (n *namespace) isolate(args ...string) result {
	n.Helper()
	return n.runIn("", args...)
}

// runIn runs the plugin in a folder.
func (n *namespace) runIn(folder string, args ...string) result {
	n.Helper()
	ctx, cancel := context.WithTimeout(n.Context(), waiting.Patience)
	defer cancel()
	var out, errOut bytes.Buffer
	cmd := n.command(ctx, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = folder, &out, &errOut
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) {
		require.NoError(n, err)
	}
	return result{out: n.general(out.String()), errOut: n.general(errOut.String()), code: cmd.ProcessState.ExitCode()}
}

// general replaces what differs from run to run and says nothing: the namespace.
func (n *namespace) general(text string) string { return strings.ReplaceAll(text, n.name, "shop") }

// done requires that the plugin succeeded, and returns what it printed.
func (n *namespace) done(args ...string) string {
	n.Helper()
	r := n.isolate(args...)
	require.Zero(n, r.code, "%s\n%s", r.out, r.errOut)
	return r.out
}

func (n *namespace) kubectl(args ...string) string {
	n.Helper()
	cmd := exec.CommandContext(n.Context(), cluster.Kubectl(), append([]string{"--kubeconfig=" + n.kubeconfig}, args...)...)
	out, err := cmd.CombinedOutput()
	require.NoError(n, err, string(out))
	return string(out)
}

func (n *namespace) until(condition func() bool, format string, args ...any) {
	n.Helper()
	waiting.Until(n, condition, format, args...)
}

// running waits until a selector has so many Ready pods, and returns them.
func (n *namespace) running(selector string, count int) []corev1.Pod {
	n.Helper()
	var ready []corev1.Pod
	n.until(func() bool {
		list, err := admin.CoreV1().Pods(n.name).List(n.Context(), metav1.ListOptions{LabelSelector: selector})
		require.NoError(n, err)
		ready = nil
		for _, pod := range list.Items {
			if len(pod.Status.ContainerStatuses) > 0 && pod.Status.ContainerStatuses[0].Ready && pod.DeletionTimestamp == nil {
				ready = append(ready, pod)
			}
		}
		return len(ready) == count
	}, "%d pods with %s run", count, selector)
	return ready
}

func (n *namespace) pod(name string) *corev1.Pod {
	n.Helper()
	pod, err := admin.CoreV1().Pods(n.name).Get(n.Context(), name, metav1.GetOptions{})
	require.NoError(n, err)
	return pod
}

// quarantine annotates a pod as people without the plugin do.
func (n *namespace) quarantine(pod string, annotations ...string) {
	n.Helper()
	n.kubectl(append([]string{"annotate", "pod", pod, quarantine.TriggerKey + "=true"}, annotations...)...)
}
