package documents

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

const (
	// shop is the namespace of the page's examples, and podName its pod.
	shop    = "shop"
	podName = "POD"
)

// Each in the order of the page and with a pod of its own, which is quarantined
// already unless that is what the command does.
func TestEveryCommandOfTheOnCallPageWorks(t *testing.T) {
	createShop(t)
	commands := readPage(t, "docs/on-call.md").commands()
	require.NotEmpty(t, commands)
	for _, line := range commands {
		pod := shopPod(t)
		if line != commands[0] && strings.Contains(line, podName) {
			shell(t, strings.ReplaceAll(commands[0], podName, pod))
		}
		shell(t, strings.ReplaceAll(line, podName, pod))
	}
	// The last ones removed isolate's configuration, and brought it back.
	until(t, func(ctx context.Context) bool {
		out, err := command(ctx, strings.ReplaceAll(commands[0], podName, shopPod(t))+" --dry-run=server").CombinedOutput()
		return err == nil && strings.Contains(string(out), "Quarantined: ")
	}, "pods can be isolated again")
}

// shell runs a command as a person does.
func shell(t *testing.T, line string) {
	t.Helper()
	out, err := command(t.Context(), line).CombinedOutput()
	require.NoError(t, err, "%s\n%s", line, out)
	t.Logf("%s\n%s", line, out)
}

// command is a line in a shell at the repository's folder whose kubectl is the built
// one. Pods run nothing here, so instead of their logs it gets the pods.
func command(ctx context.Context, line string) *exec.Cmd {
	if logs, ok := strings.CutPrefix(line, "kubectl logs "); ok {
		line = "kubectl get pods -o name " + strings.ReplaceAll(logs, "--prefix", "") + " | grep pod/"
	}
	cmd := exec.CommandContext(ctx, "sh", "-c", line)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "KUBECONFIG="+cluster.Kubeconfig(), "PATH="+filepath.Dir(cluster.Kubectl())+":"+os.Getenv("PATH"))
	return cmd
}

var labels = map[string]string{"app": "web"}

func createShop(t *testing.T) {
	t.Helper()
	_, err := admin.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: shop}}, metav1.CreateOptions{})
	require.NoError(t, err)
	_, err = admin.AppsV1().Deployments(shop).Create(t.Context(), &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "web"},
		Spec: appsv1.DeploymentSpec{Replicas: ptr.To(int32(2)), Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: labels},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: "web"}}},
		}},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
}

// shopPod is a running pod of the shop that isn't quarantined.
func shopPod(t *testing.T) (name string) {
	t.Helper()
	until(t, func(ctx context.Context) bool {
		pods, err := admin.CoreV1().Pods(shop).List(ctx, metav1.ListOptions{LabelSelector: metav1.FormatLabelSelector(&metav1.LabelSelector{MatchLabels: labels})})
		if err != nil {
			return false
		}
		for i := range pods.Items {
			if pods.Items[i].Status.Phase == corev1.PodRunning && pods.Items[i].DeletionTimestamp == nil {
				name = pods.Items[i].Name
				return true
			}
		}
		return false
	}, "a pod of %s runs", shop)
	return name
}
