package docs

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"isolate.example.io/test/framework/kubectl"
)

const (
	// shop is the namespace of the documents' examples, and podName their pod.
	shop    = "shop"
	podName = "POD"

	quarantineCommand = "kubectl annotate pod -n shop POD isolate.example.io/quarantine=true"
)

// pagesWithCommands are those whose commands are all run. The commands of docs/install.md
// are run by the suites availability, certificates and chart. The last page removes
// isolate's configuration, and brings it back.
var pagesWithCommands = []string{"README.md", "docs/design.md", "docs/reference.md", "docs/tools.md", "docs/comparison.md", "docs/on-call.md"}

// Each in the order of the page and with a pod of its own, which is quarantined
// already unless that is what the command does.
func TestDocumentedCommandsWork(t *testing.T) {
	_, err := admin.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: shop}}, metav1.CreateOptions{})
	require.NoError(t, err)
	for number, name := range pagesWithCommands {
		t.Run(name, func(t *testing.T) {
			commands := readPage(t, name).kubectlCommands()
			require.NotEmpty(t, commands)
			for i, line := range commands {
				runCommand(t, fmt.Sprintf("web-%d-%d", number, i), line)
			}
		})
	}
	pod := createPod(t, "last")
	until(t, func(ctx context.Context) bool {
		out, err := command(ctx, strings.ReplaceAll(quarantineCommand, podName, pod)+" --dry-run=server").CombinedOutput()
		return err == nil && strings.Contains(string(out), "To release it: ")
	}, "pods can be isolated again")
}

func runCommand(t *testing.T, deployment, line string) {
	t.Helper()
	if strings.Contains(line, podName) {
		pod := createPod(t, deployment)
		if !strings.Contains(line, "isolate.example.io/quarantine=true") {
			shell(t, strings.ReplaceAll(quarantineCommand, podName, pod))
		}
		line = strings.ReplaceAll(line, podName, pod)
	}
	shell(t, line)
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
		line = "kubectl get pods -o name " + strings.NewReplacer("--prefix", "", "--since=24h", "", "--tail=-1", "").Replace(logs) + " | grep pod/"
	}
	return kubectl.Shell(ctx, cluster, line)
}

// createPod creates a Deployment, and returns its pod once it runs. Nobody else
// has to do with it, so no controller deletes it as one too many.
func createPod(t *testing.T, deployment string) (name string) {
	t.Helper()
	labels := map[string]string{"app": deployment}
	_, err := admin.AppsV1().Deployments(shop).Create(t.Context(), &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: deployment},
		Spec: appsv1.DeploymentSpec{Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: labels},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: "web"}}},
		}},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	until(t, func(ctx context.Context) bool {
		pods, err := admin.CoreV1().Pods(shop).List(ctx, metav1.ListOptions{LabelSelector: metav1.FormatLabelSelector(&metav1.LabelSelector{MatchLabels: labels})})
		if err != nil || len(pods.Items) != 1 || pods.Items[0].Status.Phase != corev1.PodRunning {
			return false
		}
		name = pods.Items[0].Name
		return true
	}, "the pod of %s runs", deployment)
	return name
}
