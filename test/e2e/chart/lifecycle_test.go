package chart

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"isolate.example.io/quarantine"
	"isolate.example.io/test/framework/controlplane"
	"isolate.example.io/test/framework/installation"
	"isolate.example.io/test/framework/load"
)

// first is the archive of the first chart. It never changes.
const first = "testdata/isolate-0.0.1.tgz"

func TestInstallUpgradeRollBackAndUninstall(t *testing.T) {
	c := start(t)
	before := c.clusterWide()
	c.helm("install", release, first, "--create-namespace")
	c.run()
	c.kubectl("create", "deployment", "web", "--image=web:1")
	pod := c.quarantined()
	stream, err := load.Start(t.Context(), c.Config(), metav1.NamespaceDefault, 2)
	require.NoError(t, err)

	c.helm("upgrade", release, chart)
	requireTested(c, true)
	c.answers(stream)
	versions := c.versions()
	c.helm("upgrade", release, chart)
	require.Equal(t, versions, c.versions(), "an upgrade to the same chart writes nothing")
	c.helm("rollback", release, "1")
	c.answers(stream)
	report := stream.Stop()
	t.Log(report)
	require.Equal(t, report.Undecided, report.Lost, report)

	c.isolate.Stop()
	c.helm("uninstall", release)
	c.kubectl("delete", "namespace", installation.Namespace)
	c.until(func() bool { return slices.Equal(before, c.clusterWide()) }, "nothing is left of isolate")
	left, err := c.admin.CoreV1().Pods(pod.Namespace).Get(t.Context(), pod.Name, metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, pod.UID, left.UID)
	require.Equal(t, pod.Labels, left.Labels)
	require.Equal(t, corev1.PodRunning, left.Status.Phase)
}

func TestHelmTestFailsIfNoQuarantineWouldWork(t *testing.T) {
	c := start(t)
	c.helm("install", release, chart, "--create-namespace")
	c.run()
	require.Contains(t, requireTested(c, true), "OK       The webhook answers: a dry run quarantined pod/isolate-webhook-")
	c.kubectl("delete", "validatingadmissionpolicybinding", "isolate-pods")
	require.Contains(t, requireTested(c, false), "FAILED   Without these ValidatingAdmissionPolicies, or their bindings, isolate is not safe: isolate-pods\n")
	c.helm("upgrade", release, chart)
	requireTested(c, true)
	c.isolate.Stop()
	require.Contains(t, requireTested(c, false), "FAILED   The webhook does not answer: ")
}

// requireTested runs helm test and returns what its pod printed. KWOK's pods run nothing, so
// this runs the pod's command with the pod's ServiceAccount, and ends the pod with its
// result.
func requireTested(c *cluster, passes bool) string {
	c.Helper()
	type result struct {
		out string
		err error
	}
	tested := make(chan result, 1)
	go func() {
		out, err := c.tryHelm("test", release)
		tested <- result{out, err}
	}()
	pods := c.admin.CoreV1().Pods(installation.Namespace)
	var pod *corev1.Pod
	c.until(func() bool {
		var err error
		pod, err = pods.Get(c.Context(), "isolate-doctor", metav1.GetOptions{})
		return err == nil && pod.Status.Phase == corev1.PodRunning
	}, "the test's pod runs")
	out, phase := c.runIn(pod)
	_, err := pods.Patch(c.Context(), pod.Name, types.MergePatchType, []byte(`{"status": {"phase": "`+string(phase)+`"}}`), metav1.PatchOptions{}, "status")
	require.NoError(c, err)
	r := <-tested
	if passes {
		require.NoError(c, r.err, "%s\n%s", r.out, out)
		_, err := c.admin.CoreV1().ServiceAccounts(installation.Namespace).Get(c.Context(), "isolate-doctor", metav1.GetOptions{})
		require.Error(c, err, "Helm deletes the test's objects")
	} else {
		require.Error(c, r.err, "%s\n%s", r.out, out)
	}
	return out
}

// runIn runs the command of a pod's container as the pod's ServiceAccount.
func (c *cluster) runIn(pod *corev1.Pod) (out string, phase corev1.PodPhase) {
	c.Helper()
	config, err := c.ServiceAccountConfig(c.Context(), pod.Namespace, pod.Spec.ServiceAccountName)
	require.NoError(c, err)
	kubeconfig := filepath.Join(c.TempDir(), "kubeconfig")
	require.NoError(c, controlplane.WriteKubeconfig(config, kubeconfig))
	command := pod.Spec.Containers[0].Command
	cmd := exec.CommandContext(c.Context(), filepath.Join(programs, strings.TrimPrefix(command[0], "/")), command[1:]...)
	cmd.Env = []string{"KUBECONFIG=" + kubeconfig}
	output, err := cmd.CombinedOutput()
	if err != nil {
		return string(output), corev1.PodFailed
	}
	return string(output), corev1.PodSucceeded
}

// quarantined quarantines the pod of the Deployment web.
func (c *cluster) quarantined() *corev1.Pod {
	c.Helper()
	pods := c.admin.CoreV1().Pods(metav1.NamespaceDefault)
	var pod *corev1.Pod
	c.until(func() bool {
		list, err := pods.List(c.Context(), metav1.ListOptions{LabelSelector: "app=web"})
		if err != nil || len(list.Items) == 0 {
			return false
		}
		pod = &list.Items[0]
		return pod.Status.Phase == corev1.PodRunning
	}, "a pod of web runs")
	c.kubectl("annotate", "pod", pod.Name, quarantine.TriggerKey+"=true")
	pod, err := pods.Get(c.Context(), pod.Name, metav1.GetOptions{})
	require.NoError(c, err)
	require.Equal(c, quarantine.QuarantinedValue, pod.Labels[quarantine.QuarantinedLabel])
	return pod
}

// answers waits until the stream has had some more answers.
func (c *cluster) answers(stream *load.Stream) {
	c.Helper()
	sent := stream.Sent()
	c.until(func() bool { return stream.Sent() > sent+100 }, "more admissions are answered")
}

// versions returns the resourceVersion of each object of the release whose status nobody
// writes.
func (c *cluster) versions() map[string]string {
	c.Helper()
	out, err := c.kubectlWith(c.helm("get", "manifest", release), "get", "-o=json", "-f", "-")
	require.NoError(c, err, out)
	var list struct {
		Items []struct {
			Kind     string
			Metadata metav1.ObjectMeta
		}
	}
	require.NoError(c, json.Unmarshal([]byte(out), &list))
	versions := map[string]string{}
	for _, item := range list.Items {
		if slices.Contains([]string{"Deployment", "PodDisruptionBudget", "ResourceQuota", "ValidatingAdmissionPolicy"}, item.Kind) {
			versions[item.Kind+"/"+item.Metadata.Name] = "generation " + strconv.FormatInt(item.Metadata.Generation, 10)
			continue
		}
		versions[item.Kind+"/"+item.Metadata.Name] = item.Metadata.ResourceVersion
	}
	require.NotEmpty(c, versions)
	return versions
}

// clusterWide returns the names of all cluster-scoped objects, namespaces included.
func (c *cluster) clusterWide() []string {
	c.Helper()
	kinds := strings.Fields(c.kubectl("api-resources", "--namespaced=false", "--verbs=list", "--output=name"))
	names := strings.Fields(c.kubectl("get", strings.Join(kinds, ","), "--output=name"))
	slices.Sort(names)
	return names
}
