package plugin

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"isolate.example.io/quarantine"
	"isolate.example.io/test/gen"
)

var elapsed = regexp.MustCompile(`after [0-9.]+m?s`)

// untimed replaces how long a step took.
func untimed(text string) string { return elapsed.ReplaceAllString(text, "after SPAN") }

func TestAQuarantineReportsEachStepWithItsTime(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	pod := n.deployWeb(1)
	r := n.isolate(pod, "--yes", "--ttl=2h", "--reason=logins hang")
	require.Zero(t, r.code, r.errOut)
	replacement := n.running("app=web", 1)[0].Name
	require.Equal(t, "pod/"+pod+" quarantined\n"+
		"  written after SPAN\n"+
		"  out of 2 EndpointSlices after SPAN\n"+
		"  replacement pod/"+replacement+" Ready after SPAN\n", untimed(r.out))
	require.Regexp(t, `^(Warning: .+\n)+$`, strings.ReplaceAll(r.errOut, "Waiting until a replacement of ReplicaSet/"+n.pod(replacement).OwnerReferences[0].Name+" is Ready\n", ""))
	stored := n.pod(pod)
	require.Equal(t, "2h", stored.Annotations[quarantine.TTLKey])
	require.Equal(t, "logins hang", stored.Annotations[quarantine.ReasonKey])
	require.True(t, slices.ContainsFunc(stored.ManagedFields, func(entry metav1.ManagedFieldsEntry) bool { return entry.Manager == "kubectl-isolate" }))

	require.Equal(t, result{code: 1, errOut: "error: pod/" + pod + " is already quarantined. " +
		"To see its story: kubectl isolate status -n shop " + pod + ". To keep it longer: kubectl isolate extend -n shop " + pod + " 24h\n"},
		n.isolate(pod, "--yes"))
}

func TestWhatIsWaitedForDependsOnTheOwner(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	n.createPod(gen.Pod("alone"))
	require.Equal(t, "pod/alone quarantined\n  written after SPAN\n  no EndpointSlice had the pod\n  no replacement: no controller owned the pod\n",
		untimed(n.done("alone", "-y")))
	_, err := admin.AppsV1().StatefulSets(n.name).Create(t.Context(), &appsv1.StatefulSet{ObjectMeta: gen.Meta("db"), Spec: appsv1.StatefulSetSpec{
		Selector: gen.Matching(web), Template: gen.Template(web),
	}}, metav1.CreateOptions{})
	require.NoError(t, err)
	n.running("app=web", 1)
	require.Contains(t, n.done("db-0", "-y", "--force"), "  no replacement yet: StatefulSet/db can't start one until this pod is deleted, because its name is taken\n")

	n.createPod(gen.Pod("out"))
	require.Equal(t, "pod/out quarantined\n  written after SPAN\n  no EndpointSlice had the pod\n", untimed(n.done("out", "-y", "--wait=out")))
	n.createPod(gen.Pod("none"))
	require.Equal(t, "pod/none quarantined\n  written after SPAN\n", untimed(n.done("none", "-y", "--wait=none")))
	n.createPod(gen.Pod("name"))
	r := n.isolate("name", "-y", "--wait=none", "-o", "name")
	require.Equal(t, "pod/name\n", r.out)
	require.Contains(t, untimed(r.errOut), "  written after SPAN\n")
}

func TestAReplacementThatDoesNotStartIsReportedWithItsOwnExitCode(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	pod := n.deployWeb(1)
	owner := n.pod(pod).OwnerReferences[0].Name
	_, err := admin.CoreV1().ResourceQuotas(n.name).Create(t.Context(), &corev1.ResourceQuota{ObjectMeta: gen.Meta("full"),
		Spec: corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{corev1.ResourcePods: resource.MustParse("0")}}}, metav1.CreateOptions{})
	require.NoError(t, err)
	r := n.isolate(pod, "-y", "--timeout=1500ms")
	require.Equal(t, 4, r.code)
	require.Contains(t, r.errOut, "Waiting until a replacement of ReplicaSet/"+owner+" is Ready\n")
	require.Contains(t, r.errOut, "error: pod/"+pod+" is quarantined, but after 1.5s no replacement of ReplicaSet/"+owner+
		" is Ready. To see why: kubectl describe -n shop replicaset/"+owner+"\n")
}

func TestWithoutATerminalNothingIsDoneUnasked(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	n.createPod(gen.Pod("web", gen.Labels(web)))
	require.Equal(t, result{code: 1, errOut: "error: nothing was changed: this would ask first, and standard input is not a terminal; to go ahead without being asked: --yes\n"},
		n.isolate("web"))
	for flag, message := range map[string]string{
		"--wait=ready":     "error: --wait=ready: must be none, out or replaced\n",
		"--dry-run=client": "error: only isolate on the server knows what would happen: use --dry-run=server, or kubectl isolate plan POD\n",
		"--dry-run=maybe":  "error: Invalid dry-run value (maybe). Must be \"none\", \"server\", or \"client\".\n",
	} {
		require.Equal(t, result{code: 1, errOut: message}, n.isolate("web", "-y", flag))
	}
	require.Equal(t, "pod/web quarantined (server dry run)\n", n.done("web", "--dry-run=server"))
	require.Empty(t, n.pod("web").Annotations)
}

func TestARefusalHasItsOwnExitCodeAndTheServersWords(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	_, err := admin.AppsV1().StatefulSets(n.name).Create(t.Context(), &appsv1.StatefulSet{ObjectMeta: gen.Meta("db"), Spec: appsv1.StatefulSetSpec{
		Selector: gen.Matching(web), Template: gen.Template(web),
	}}, metav1.CreateOptions{})
	require.NoError(t, err)
	n.running("app=web", 1)
	limited := n.as("patches-pods", may("", "pods", "get", "patch"))
	for _, args := range [][]string{{"plan", "db-0"}, {"db-0", "--yes"}, {"db-0", "--dry-run=server"}} {
		r := n.isolate(args...)
		require.Equal(t, 3, r.code, args)
		require.Empty(t, r.out)
		require.Contains(t, r.errOut, `Error from server (Forbidden): admission webhook "pods.isolate.example.io" denied the request: `)
		r = limited.isolate(args...)
		require.Equal(t, 3, r.code, args)
		require.Contains(t, r.errOut, "Error from server (Forbidden): ")
		require.Contains(t, r.errOut, "ValidatingAdmissionPolicy 'isolate-pods'")
	}
	r := n.isolate("plan", "db-0", "--ttl=tomorrow")
	require.Equal(t, 3, r.code)
	require.Contains(t, r.errOut, "metadata.annotations[isolate.example.io/ttl]: Invalid value: \"tomorrow\"")
}

func TestPlanIsAPictureOfWhatWouldBeStored(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	pod := n.deployWeb(2)
	owner := n.pod(pod).OwnerReferences[0].Name
	hash := n.pod(pod).Labels["pod-template-hash"]
	_, err := admin.NetworkingV1().NetworkPolicies(n.name).Create(t.Context(), &networkingv1.NetworkPolicy{
		ObjectMeta: gen.Meta("web-only"), Spec: networkingv1.NetworkPolicySpec{PodSelector: metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	n.kubectl("annotate", "namespace", n.name, quarantine.ControllerBudgetKey+"=2")
	n.until(func() bool {
		said := n.kubectl("annotate", "pod", pod, quarantine.TriggerKey+"=true", "--dry-run=server")
		return strings.Contains(said, "web-only") && strings.Contains(n.done("plan", pod), "2 of 2 pods available")
	}, "isolate knows the policy")

	picture := n.done("plan", pod, "--ttl=2h", "--hold")
	before, after, found := strings.Cut(picture, "\n\n")
	require.True(t, found)
	require.Equal(t, "A quarantine of pod/"+pod+" in namespace shop would do this; nothing was changed.", before)
	table, _, _ := strings.Cut(after, "\n\n")
	require.Equal(t, [][]string{
		{"LABEL", "NOW", "QUARANTINED"},
		{"app", "web", "quarantined-web"},
		{"pod-template-hash", hash, "quarantined-" + hash},
		{"release", "stable", "quarantined-stable"},
		{"isolate.example.io/quarantined", "<none>", "true"},
	}, cells(table))
	for name, want := range map[string][]string{
		"Detached From": {"Service/web", "Service/web-metrics", "ReplicaSet/" + owner},
		"Controller":    {"ReplicaSet/" + owner + " (2 of 2 pods available)"},
		"Policies Lost": {"NetworkPolicy/web-only"},
		"Expires":       {"TIME (SPAN), held"},
		"Budget":        {"Deployment/web: 0 of at most 2 pods are quarantined", "namespace shop: 0 of at most 50 pods are quarantined"},
	} {
		require.Equal(t, want, strings.Split(steady(strings.Join(section(picture, name), "\n")), "\n"), name)
	}
	said := n.kubectl("annotate", "pod", pod, quarantine.TriggerKey+"=true", quarantine.TTLKey+"=2h", quarantine.HoldKey+"=true", "--dry-run=server")
	require.Len(t, section(picture, "Warnings"), strings.Count(said, "Warning: "))
	for _, warning := range section(picture, "Warnings") {
		require.Contains(t, steady(n.general(said)), "Warning: "+steady(warning)+"\n")
	}
	require.Empty(t, n.pod(pod).Annotations)
	require.Contains(t, n.done("plan", pod, "-o", "yaml"), "app: quarantined-web")

	n.quarantine(pod)
	require.Equal(t, 1, n.isolate("plan", pod).code)
	next := n.running("app=web", 2)[0].Name
	require.Equal(t, []string{"Deployment/web: 1 of at most 2 pods are quarantined", "namespace shop: 1 of at most 50 pods are quarantined"},
		section(n.done("plan", next), "Budget"))
}

func TestPlanSaysWhatTheCallerMayNotRead(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	pod := n.deployWeb(1)
	limited := n.as("quarantines", may("", "pods", "get", "patch", "delete"))
	picture := limited.done("plan", pod)
	require.Contains(t, section(picture, "Budget")[0], `unknown: pods is forbidden: User "quarantines" cannot list resource "pods"`)
	require.Contains(t, section(picture, "Policies Lost")[0], `unknown: networkpolicies.networking.k8s.io is forbidden`)
	require.Contains(t, section(picture, "Controller")[0], `(unknown: replicasets.apps "`)

	r := limited.isolate(pod, "-y")
	require.Equal(t, 4, r.code)
	require.Contains(t, r.errOut, "error: pod/"+pod+" is quarantined, but you may not see what follows; to leave it out: --wait=none (endpointslices.discovery.k8s.io is forbidden")
	require.Equal(t, "true", n.pod(pod).Labels[quarantine.QuarantinedLabel])
}
