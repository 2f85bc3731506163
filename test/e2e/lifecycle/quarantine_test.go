package lifecycle

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	corev1apply "k8s.io/client-go/applyconfigurations/core/v1"

	"isolate.example.io/quarantine"
	"isolate.example.io/test/gen"
)

// ways are all ways to set an annotation on an existing pod.
var ways = map[string]func(n *namespace, pod string){
	"kubectl annotate": func(n *namespace, pod string) {
		screen, err := n.kubectl(nil, "annotate", "pod", pod, quarantine.TriggerKey+"=true")
		require.NoError(n, err, screen)
	},
	"kubectl edit": func(n *namespace, pod string) {
		editor := filepath.Join(n.TempDir(), "editor")
		script := fmt.Sprintf("#!/bin/sh\nsed -i 's|^metadata:|metadata:\\n  annotations:\\n    %s: \"true\"|' \"$1\"\n", quarantine.TriggerKey)
		require.NoError(n, os.WriteFile(editor, []byte(script), 0o755))
		screen, err := n.kubectl([]string{"KUBE_EDITOR=" + editor}, "edit", "pod", pod)
		require.NoError(n, err, screen)
	},
	"strategic merge patch": patchWith(types.StrategicMergePatchType, mergePatch),
	"merge patch":           patchWith(types.MergePatchType, mergePatch),
	"JSON patch":            patchWith(types.JSONPatchType, `[{"op": "add", "path": "/metadata/annotations", "value": {"`+quarantine.TriggerKey+`": "true"}}]`),
	"server-side apply": func(n *namespace, pod string) {
		_, err := admin.CoreV1().Pods(n.name).Apply(n.Context(),
			corev1apply.Pod(pod, n.name).WithAnnotations(map[string]string{quarantine.TriggerKey: "true"}),
			metav1.ApplyOptions{FieldManager: "policy-tool"})
		require.NoError(n, err)
	},
	"PUT": func(n *namespace, pod string) {
		whole := n.pod(pod)
		whole.Annotations = map[string]string{quarantine.TriggerKey: "true"}
		_, err := admin.CoreV1().Pods(n.name).Update(n.Context(), whole, metav1.UpdateOptions{})
		require.NoError(n, err)
	},
}

const mergePatch = `{"metadata": {"annotations": {"` + quarantine.TriggerKey + `": "true"}}}`

func patchWith(kind types.PatchType, patch string) func(n *namespace, pod string) {
	return func(n *namespace, pod string) {
		_, err := admin.CoreV1().Pods(n.name).Patch(n.Context(), pod, kind, []byte(patch), metav1.PatchOptions{})
		require.NoError(n, err)
	}
}

func TestEveryWayToAnnotateQuarantines(t *testing.T) {
	t.Parallel()
	for name, annotate := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNamespace(t)
			n.create(gen.Service("web", web))
			n.create(gen.ReplicaSet("web", 1, web))
			broken := n.running("app=web", 1)[0]
			annotate(n, broken.Name)
			n.requireOut(n.pod(broken.Name))
			n.running("app=web", 1)
		})
	}
}

func TestServerSideDryRun(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	n.create(gen.Service("web", web))
	n.create(gen.ReplicaSet("web", 1, web))
	before := n.running("app=web", 1)[0]

	shown, screen := n.quarantine(before.Name, "--dry-run=server")

	n.requireOut(shown)
	require.Contains(t, screen, "Service/web")
	require.Equal(t, before, *n.pod(before.Name))
}

// A pod may have fields that isolate's client doesn't know. isolate patches metadata
// only and never re-encodes the pod.
func TestOtherFieldsAreUnchanged(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	pod := gen.Pod("web", gen.Labels(web))
	pod.Annotations = map[string]string{"other/annotation": "stays"}
	pod.Finalizers = []string{"other.example.com/finalizer"}
	n.create(pod)
	before := n.running("app=web", 1)[0]

	after, _ := n.quarantine("web")

	require.Equal(t, before.Spec, after.Spec)
	require.Equal(t, before.Status, after.Status)
	require.Equal(t, before.Finalizers, after.Finalizers)
	require.Equal(t, "stays", after.Annotations["other/annotation"])
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"finalizers": nil}})
	require.NoError(t, err)
	_, err = admin.CoreV1().Pods(n.name).Patch(t.Context(), "web", types.MergePatchType, patch, metav1.PatchOptions{})
	require.NoError(t, err)
}

func TestNewPodsAreNotQuarantined(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	triggered := gen.Deployment("web", 2, web)
	triggered.Spec.Template.Annotations = map[string]string{quarantine.TriggerKey: "true", "other/annotation": "stays"}
	n.create(triggered)
	for _, pod := range n.running("app=web", 2) {
		require.Equal(t, map[string]string{"other/annotation": "stays"}, pod.Annotations)
	}
	screen, err := n.kubectl(nil, "run", "labelled", "--image=web", "--labels="+quarantine.QuarantinedLabel+"=true")
	require.Error(t, err)
	require.Contains(t, screen, quarantine.QuarantinedLabel)
	screen, err = n.kubectl(nil, "run", "annotated", "--image=web", "--annotations="+quarantine.TriggerKey+"=true")
	require.NoError(t, err, screen)
	require.Contains(t, screen, "Warning: ")
	require.Empty(t, n.pod("annotated").Annotations)
}

func TestInvalidValueIsDeniedWithTheField(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	n.create(gen.Pod("web", gen.Labels(web)))
	for annotation, want := range map[string]string{
		quarantine.TriggerKey + "=yes":                               `metadata.annotations[isolate.example.io/quarantine]: Invalid value: "yes"`,
		quarantine.TTLKey + "=tomorrow":                              `metadata.annotations[isolate.example.io/ttl]: Invalid value: "tomorrow"`,
		quarantine.TTLKey + "=31d":                                   `metadata.annotations[isolate.example.io/ttl]: Invalid value: "31d"`,
		quarantine.HoldKey + "=forever":                              `metadata.annotations[isolate.example.io/hold]: Invalid value: "forever"`,
		quarantine.TriggerKey + "=true " + quarantine.TTLKey + "=0s": `metadata.annotations[isolate.example.io/ttl]: Invalid value: "0s"`,
	} {
		args := []string{"annotate", "pod", "web"}
		for field := range strings.FieldsSeq(annotation) {
			args = append(args, field)
		}
		screen, err := n.kubectl(nil, args...)
		require.Error(t, err)
		require.Contains(t, screen, want)
	}
	require.Empty(t, n.pod("web").Annotations)
	require.Equal(t, corev1.PodRunning, n.running("app=web", 1)[0].Status.Phase)
}
