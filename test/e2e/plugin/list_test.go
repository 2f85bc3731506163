package plugin

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"isolate.example.io/quarantine"
	"isolate.example.io/test/framework/installation"
	"isolate.example.io/test/framework/waiting"
	"isolate.example.io/test/gen"
)

var span = regexp.MustCompile(`^[0-9]+[dhms]([0-9]+[hms])?$`)

// cells are a table's fields, without the padding, and with SPAN for how long
// something lasts.
func cells(table string) [][]string {
	var found [][]string
	for line := range strings.Lines(table) {
		row := regexp.MustCompile(`\s{2,}`).Split(strings.TrimSpace(line), -1)
		for i := range row {
			row[i] = span.ReplaceAllString(row[i], "SPAN")
		}
		found = append(found, row)
	}
	return found
}

func TestListShowsOwnerRequesterReasonTimeLeftHoldAndState(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	pod := n.deployWeb(2)
	replicaSet := "ReplicaSet/" + n.pod(pod).OwnerReferences[0].Name
	n.quarantine(pod, quarantine.ReasonKey+"=logins hang", quarantine.HoldKey+"=true")
	n.running("app=web", 2)
	n.createPod(gen.Pod("alone", gen.Labels(map[string]string{"app": "alone"})))
	n.quarantine("alone", quarantine.TTLKey+"=48h")
	n.until(func() bool { return strings.Contains(n.done("list"), "Replaced") }, "the pod is replaced")

	require.Equal(t, [][]string{
		{"POD", "FORMER OWNER", "BY", "REASON", "LEFT", "HOLD", "STATE"},
		{"alone", "<none>", "kubernetes-admin", "<none>", "SPAN", "false", "Unowned"},
		{pod, replicaSet, "kubernetes-admin", "logins hang", "SPAN", "true", "Replaced"},
	}, cells(n.done("list")))
	require.Equal(t, []string{"NAMESPACE", "POD"}, cells(n.done("list", "-A"))[0][:2])
	require.Contains(t, cells(n.done("list", "-A")), []string{"shop", "alone", "<none>", "kubernetes-admin", "<none>", "SPAN", "false", "Unowned"})
	wide := cells(n.done("list", "-o", "wide"))
	require.Equal(t, []string{"POD", "FORMER OWNER", "BY", "REASON", "LEFT", "HOLD", "STATE", "QUARANTINED", "EXPIRES AT", "NODE", "DETACHED FROM"}, wide[0])
	require.Equal(t, n.pod(pod).Annotations[quarantine.ExpiresAtKey], wide[2][8])
	require.Equal(t, n.pod(pod).Spec.NodeName, wide[2][9])
	require.Equal(t, strings.Join(quarantine.StatusOf(n.pod(pod).Labels, n.pod(pod).Annotations).Record.DetachedFrom, ", "), wide[2][10])

	sorted := cells(n.done("list", "--no-headers", "--sort-by={.metadata.annotations.isolate\\.example\\.io/expires-at}"))
	require.Equal(t, pod, sorted[0][0], "the next to be deleted comes first")
	require.Equal(t, "pod/alone\npod/"+pod+"\n", n.done("list", "-o", "name"))
	require.Equal(t, "alone "+pod, n.done("list", "-o", "jsonpath={.items[*].metadata.name}"))
	var printed struct {
		Kind  string
		Items []corev1.Pod
	}
	require.NoError(t, json.Unmarshal([]byte(n.done("list", "-o", "json")), &printed))
	require.Equal(t, "List", printed.Kind)
	require.Len(t, printed.Items, 2)
	require.Contains(t, n.done("list", "-o", "yaml"), "kind: List")
	require.Equal(t, "pod/alone\n", n.done("list", "-o", "name", "-l", "app=alone"))
}

func TestListSaysThatNothingIsQuarantined(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	require.Equal(t, result{errOut: "No quarantined pods found in namespace shop.\n"}, n.isolate("list"))
	require.Equal(t, result{errOut: "No quarantined pods found.\n"}, n.isolate("list", "-A", "-l", "app=nobody-has-this"))
	require.Equal(t, result{code: 1, errOut: "error: --watch prints pods as they change, so it can't sort them: leave out --sort-by or --watch\n"},
		n.isolate("list", "-w", "--sort-by=.metadata.name"))
}

func TestTheStateOfAPodIsTheFirstThatApplies(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	state := func(pod string) string {
		for _, row := range cells(n.done("list", "--no-headers")) {
			if row[0] == pod {
				return row[len(row)-1]
			}
		}
		return ""
	}
	pod := n.deployWeb(1)
	_, err := admin.CoreV1().ResourceQuotas(n.name).Create(t.Context(), &corev1.ResourceQuota{ObjectMeta: gen.Meta("full"),
		Spec: corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{corev1.ResourcePods: resource.MustParse("0")}}}, metav1.CreateOptions{})
	require.NoError(t, err)
	n.quarantine(pod)
	n.until(func() bool { return state(pod) == "Missing" }, "no replacement may start")
	require.NoError(t, admin.CoreV1().ResourceQuotas(n.name).Delete(t.Context(), "full", metav1.DeleteOptions{}))
	n.until(func() bool { return state(pod) == "Replaced" }, "the replacement runs")
	n.createService("held", map[string]string{"release": "quarantined-stable", quarantine.QuarantinedLabel: quarantine.QuarantinedValue})
	require.Equal(t, "Replaced", state(pod), "a Service that selects quarantined pods on purpose is no leak")

	n.kubectl("annotate", "pod", pod, quarantine.HoldKey+"=true")
	limited := n.as("reads-pods", may("", "pods", "get", "list"))
	require.Contains(t, limited.done("list"), "Unknown", "who may not read Services can't tell")
}

// The leak guard ends a leak within a second, unless something refuses its writes.
func TestAPodThatAServiceSelectsIsLeaking(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	n.createPod(gen.Pod("web", gen.Labels(web)))
	n.refuseTheSweeper()
	n.quarantine("web")
	require.Contains(t, cells(n.done("list", "--no-headers"))[0], "Unowned")
	n.createService("leak", map[string]string{"app": "web"})
	require.Equal(t, [][]string{{"web", "<none>", "kubernetes-admin", "<none>", "SPAN", "false", "Leaking"}}, cells(n.done("list", "--no-headers")))
	require.Equal(t, []string{"Leaking"}, section(n.done("status", "web"), "State"))
}

// refuseTheSweeper makes a policy refuse the sweeper's writes of pods in the namespace.
func (n *namespace) refuseTheSweeper() {
	n.Helper()
	const sweeper = "system:serviceaccount:" + installation.Namespace + ":isolate-sweeper"
	_, err := admin.AdmissionregistrationV1().ValidatingAdmissionPolicies().Create(n.Context(), &admissionregistrationv1.ValidatingAdmissionPolicy{
		ObjectMeta: gen.Meta(n.name), Spec: admissionregistrationv1.ValidatingAdmissionPolicySpec{
			MatchConstraints: &admissionregistrationv1.MatchResources{ResourceRules: []admissionregistrationv1.NamedRuleWithOperations{{
				RuleWithOperations: admissionregistrationv1.RuleWithOperations{
					Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Update},
					Rule:       admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"}},
				},
			}}},
			Validations: []admissionregistrationv1.Validation{{Expression: "request.userInfo.username != '" + sweeper + "'"}},
		},
	}, metav1.CreateOptions{})
	require.NoError(n, err)
	_, err = admin.AdmissionregistrationV1().ValidatingAdmissionPolicyBindings().Create(n.Context(), &admissionregistrationv1.ValidatingAdmissionPolicyBinding{
		ObjectMeta: gen.Meta(n.name), Spec: admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName: n.name, ValidationActions: []admissionregistrationv1.ValidationAction{admissionregistrationv1.Deny},
			MatchResources: &admissionregistrationv1.MatchResources{NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: n.name}}},
		},
	}, metav1.CreateOptions{})
	require.NoError(n, err)
	config := rest.CopyConfig(cluster.Config())
	config.Impersonate.UserName = sweeper
	client, err := kubernetes.NewForConfig(config)
	require.NoError(n, err)
	n.until(func() bool {
		_, err := client.CoreV1().Pods(n.name).Patch(n.Context(), "web", types.MergePatchType,
			[]byte(`{"metadata":{"annotations":{"tried":"true"}}}`), metav1.PatchOptions{DryRun: []string{metav1.DryRunAll}})
		return apierrors.IsInvalid(err)
	}, "the policy refuses the sweeper's writes")
}

func TestListWatchPrintsEveryChangeUntilInterrupted(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	n.createPod(gen.Pod("one", gen.Labels(map[string]string{"app": "one"})))
	n.createPod(gen.Pod("two", gen.Labels(map[string]string{"app": "two"})))
	ctx, cancel := context.WithTimeout(t.Context(), waiting.Patience)
	defer cancel()
	cmd := n.command(ctx, "list", "--watch")
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := bufio.NewScanner(out)
	next := func(want ...string) {
		t.Helper()
		for lines.Scan() {
			fields := strings.Fields(lines.Text())
			if fields[0] == want[0] && fields[len(fields)-1] == want[1] {
				return
			}
		}
		t.Fatalf("no line of %v", want)
	}
	// Headers are printed with the first pod.
	n.quarantine("one")
	next("POD", "STATE")
	next("one", "Unowned")
	n.quarantine("two")
	next("two", "Unowned")
	n.kubectl("annotate", "pod", "one", quarantine.TriggerKey+"-")
	next("one", "Released")
	n.kubectl("delete", "pod", "two", "--wait=false")
	next("two", "Deleted")
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	require.NoError(t, cmd.Wait(), "an interrupted watch is no failure")
}
