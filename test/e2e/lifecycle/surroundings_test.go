package lifecycle

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"isolate.example.io/quarantine"
	"isolate.example.io/test/gen"
)

// apply applies YAML with kubectl.
func (n *namespace) apply(yaml string) {
	n.Helper()
	file := filepath.Join(n.TempDir(), "objects.yaml")
	require.NoError(n, os.WriteFile(file, []byte(yaml), 0o600))
	screen, err := n.kubectl(nil, "apply", "--filename="+file)
	require.NoError(n, err, screen)
}

// refused quarantines a pod with kubectl, and returns the reason of the refusal.
func (n *namespace) refused(pod string) string {
	n.Helper()
	screen, err := n.kubectl(nil, "annotate", "pod", pod, quarantine.TriggerKey+"=true")
	require.Error(n, err, screen)
	require.NotContains(n, n.pod(pod).Labels, quarantine.QuarantinedLabel)
	return screen
}

// The replacement on the same node would wait for the port.
func TestHostPortOfASidecarIsRefused(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	set := gen.DaemonSet("agent", web)
	set.Spec.Template.Spec.InitContainers = []corev1.Container{{
		Name: "proxy", Image: "proxy:1", RestartPolicy: new(corev1.ContainerRestartPolicyAlways),
		Ports: []corev1.ContainerPort{{ContainerPort: 8081, HostPort: 8081}},
	}}
	n.create(set)
	require.Contains(t, n.refused(n.running("app=web", nodes)[0].Name), "uses a host port, so DaemonSet/agent can't run a replacement on the same node")
}

// Kubernetes' own Job controller ignores such a Job.
func TestPodOfAJobThatAnotherControllerManagesIsRefused(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	owner := gen.Job("train", web)
	owner.Spec.ManagedBy = new("jobs.example.com/external")
	n.create(owner)
	stored, err := admin.BatchV1().Jobs(n.name).Get(t.Context(), "train", metav1.GetOptions{})
	require.NoError(t, err)
	pod := gen.Pod("train-abcde", gen.Labels(stored.Spec.Template.Labels))
	pod.OwnerReferences = []metav1.OwnerReference{{APIVersion: "batch/v1", Kind: "Job", Name: "train", UID: stored.UID, Controller: new(true)}}
	_, err = admin.CoreV1().Pods(n.name).Create(t.Context(), pod, metav1.CreateOptions{})
	require.NoError(t, err)
	n.running("app=web", 1)
	n.until(func() bool {
		return strings.Contains(n.refused("train-abcde"), "belongs to Job/train, which jobs.example.com/external manages")
	}, "the webhook knows the Job")
}

// No label change removes the pod from an EndpointSlice that a failover controller writes.
func TestEndpointSliceOfAnotherControllerIsNamed(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	n.create(gen.Deployment("db", 1, web))
	pod := n.running("app=web", 1)[0]
	n.apply(`
apiVersion: v1
kind: Service
metadata: {name: leader}
spec: {ports: [{port: 5432}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: leader-1, labels: {kubernetes.io/service-name: leader, endpointslice.kubernetes.io/managed-by: failover.example.com}}
addressType: IPv4
endpoints: [{addresses: ["` + pod.Status.PodIP + `"], targetRef: {kind: Pod, name: ` + pod.Name + `, namespace: ` + n.name + `, uid: ` + string(pod.UID) + `}}]
`)
	var screen string
	n.until(func() bool {
		var err error
		screen, err = n.kubectl(nil, "annotate", "pod", pod.Name, "--dry-run=server", quarantine.TriggerKey+"=true")
		require.NoError(n, err, screen)
		return strings.Contains(screen, "EndpointSlice/")
	}, "the webhook knows the EndpointSlice")
	require.Contains(t, screen, "EndpointSlice/leader-1 of Service/leader still lists this pod: failover.example.com manages it, not a selector.")
}

// People debug quarantined pods through their own Service.
func TestServiceForQuarantinedPodsServesThem(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	n.create(gen.Service("web", web))
	n.create(gen.Service("debug", map[string]string{quarantine.QuarantinedLabel: "true"}))
	n.create(gen.Deployment("web", 2, web))
	pod := n.running("app=web", 2)[0]
	n.serves("web", 2, "")

	stored, screen := n.quarantine(pod.Name)

	require.Contains(t, screen, "Service/debug selects quarantined pods: it sends traffic to this one.")
	require.Equal(t, []string{"debug"}, n.selecting(stored.Labels))
	n.serves("web", 2, pod.Name)
	n.serves("debug", 1, "")
	// The leak guard checks every pod of the namespace when a selector appears. When it has
	// detached this pod from the other Service, it has checked the first Service too.
	n.create(gen.Service("late", map[string]string{"release": "quarantined-stable"}))
	n.until(func() bool { return len(n.selecting(n.pod(pod.Name).Labels)) == 1 }, "the pod is detached from the other Service")
	record := quarantine.StatusOf(n.pod(pod.Name).Labels, n.pod(pod.Name).Annotations).Record
	require.Contains(t, record.DetachedFrom, "Service/late")
	require.NotContains(t, record.DetachedFrom, "Service/debug")
	require.Equal(t, []string{pod.Name}, n.serving("debug"))
}

func TestDeadlineOfThePodIsNamed(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	build := gen.Job("build", web)
	build.Spec.Template.Spec.ActiveDeadlineSeconds = new(int64(900))
	n.create(build)
	pod := n.running("app=web", 1)[0]
	ends := pod.Status.StartTime.Add(900e9).UTC().Format("2006-01-02T15:04:05Z")
	_, screen := n.quarantine(pod.Name)
	want := "The kubelet stops it at " + ends + ", its activeDeadlineSeconds; hold and extend do not change that."
	require.Contains(t, screen, want)
	_, screen = n.annotated(pod.Name, quarantine.ExtendKey+"=7d")
	require.Contains(t, screen, want)
}

func TestRequestsForATerminatingPodAreAnswered(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	pod := gen.Pod("web", gen.Labels(web))
	pod.Finalizers = []string{"example.com/evidence"}
	pod.Spec.TerminationGracePeriodSeconds = new(int64(3600))
	n.create(pod)
	n.running("app=web", 1)
	n.quarantine("web", quarantine.TTLKey+"=1s")
	n.until(func() bool { return n.pod("web").DeletionTimestamp != nil }, "the pod is being deleted")
	for _, request := range []string{"hold=true", "extend=2d", "quarantine=false"} {
		key, _, _ := strings.Cut(request, "=")
		_, screen := n.annotated("web", "--overwrite", quarantine.Domain+request)
		require.Contains(t, screen, "This pod is already terminating: "+key+" has no effect. Its grace period end")
	}
}

// The template allows the autoscaler to evict the pod, so the quarantine has to forbid it.
func TestHintsOfTheTemplateAreRestoredAtRelease(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	own := map[string]string{quarantine.AutoscalerHint: "true", quarantine.KarpenterHint: "false"}
	set := gen.ReplicaSet("web", 1, web)
	set.Spec.Template.Annotations = own
	n.create(set)
	pod := n.running("app=web", 1)[0]
	stored, _ := n.quarantine(pod.Name)
	require.Equal(t, "false", stored.Annotations[quarantine.AutoscalerHint])
	require.Equal(t, "true", stored.Annotations[quarantine.KarpenterHint])
	stored, _ = n.annotated(pod.Name, quarantine.TriggerKey+"-")
	require.Equal(t, own, stored.Annotations)
}

func TestKeyInTheWrongMapIsRefused(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	n.create(gen.Pod("web", gen.Labels(web)))
	for _, args := range [][]string{
		{"label", "pod", "web", quarantine.TriggerKey + "=true"},
		{"annotate", "pod", "web", quarantine.QuarantinedLabel + "=true"},
	} {
		screen, err := n.kubectl(nil, args...)
		require.Error(t, err, screen)
		require.Contains(t, screen, "kubectl annotate pod -n "+n.name+" web isolate.example.io/quarantine=true")
	}
}

// definition is the CustomResourceDefinition of a kind that selects pods.
func definition(group, version, kind, plural string) string {
	return `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: ` + plural + "." + group + `, annotations: {api-approved.kubernetes.io: "unapproved, made by a test"}}
spec:
  group: ` + group + `
  scope: Namespaced
  names: {kind: ` + kind + `, plural: ` + plural + `}
  versions: [{name: ` + version + `, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]
`
}

// isolate runs with the flags of the example, and the resources are installed later.
func TestCustomResourcesSelectPodsAsBuiltInKindsDo(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	n.apply(definition("inference.networking.k8s.io", "v1", "InferencePool", "inferencepools"))
	n.apply(definition("apps.kruise.io", "v1alpha1", "CloneSet", "clonesets"))
	n.until(func() bool {
		_, err := n.kubectl(nil, "get", "inferencepools,clonesets")
		return err == nil
	}, "the custom resources are served")
	n.apply(`
apiVersion: inference.networking.k8s.io/v1
kind: InferencePool
metadata: {name: llm}
spec: {selector: {matchLabels: {model: llm}}}
---
apiVersion: apps.kruise.io/v1alpha1
kind: CloneSet
metadata: {name: web}
spec: {replicas: 1, selector: {matchLabels: {app: web}}}
`)
	uid, err := n.kubectl(nil, "get", "cloneset", "web", "--output=jsonpath={.metadata.uid}")
	require.NoError(t, err)
	pod := gen.Pod("web", gen.Labels(map[string]string{"app": "web", "model": "llm", "team": "shop"}))
	pod.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps.kruise.io/v1alpha1", Kind: "CloneSet", Name: "web", UID: types.UID(uid), Controller: new(true)}}
	_, err = admin.CoreV1().Pods(n.name).Create(t.Context(), pod, metav1.CreateOptions{})
	require.NoError(t, err)
	n.running("app=web", 1)
	n.until(func() bool {
		screen, err := n.kubectl(nil, "annotate", "pod", "web", "--dry-run=server", quarantine.TriggerKey+"=true")
		return err == nil && strings.Contains(screen, "InferencePool/llm") && strings.Contains(screen, "CloneSet/web")
	}, "the webhook knows the custom resources")

	stored, screen := n.quarantine("web")

	require.Contains(t, screen, "Detaches the pod from InferencePool/llm and CloneSet/web.")
	require.Contains(t, screen, "CloneSet/web should start a replacement.")
	require.Equal(t, "quarantined-web", stored.Labels["app"])
	require.Equal(t, "quarantined-llm", stored.Labels["model"])
	require.Equal(t, "shop", stored.Labels["team"], "nothing selects by it")
	n.apply(`
apiVersion: inference.networking.k8s.io/v1
kind: InferencePool
metadata: {name: late}
spec: {selector: {matchLabels: {model: quarantined-llm}}}
`)
	n.until(func() bool { return n.pod("web").Labels["model"] != "quarantined-llm" }, "the pod is detached again")
}
