package policies

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"isolate.example.io/quarantine"
	"isolate.example.io/test/framework/manifests"
)

// A tool with an example's role can quarantine pods, and has no other permission on
// pods than that requires.
func TestExampleRolesAllowQuarantine(t *testing.T) {
	s := startAPIServer(t)
	s.install(t, startFakeWebhook(t))
	for _, name := range []string{"falco-talon", "kyverno"} {
		t.Run(name, func(t *testing.T) {
			objects, err := manifests.Build(t.Context(), filepath.Join(assets, "kubectl"), filepath.Join(root, "manifests"), "examples/"+name)
			must(t, err)
			require.Len(t, objects, 1)
			must(t, client.NewDryRunClient(s.admin).Create(t.Context(), objects[0].DeepCopy()))
			role := &rbacv1.ClusterRole{}
			must(t, runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(objects[0].Object, role, true))
			for _, rule := range role.Rules {
				require.Equal(t, []string{"pods"}, rule.Resources)
				require.NotContains(t, rule.Verbs, "create")
			}
			tool := s.addUser(t, name, "patch", role.Rules...)
			pod := s.free(t)
			must(t, mergePatch(t.Context(), tool, pod, trigger, annotate(quarantine.ReasonKey, "a tool said so")))
			require.Equal(t, quarantine.QuarantinedValue, pod.Labels[quarantine.QuarantinedLabel])
		})
	}
}

func TestNetworkIsolationDeniesIngressAndEgress(t *testing.T) {
	s := startAPIServer(t)
	dir := t.TempDir()
	component, err := filepath.Abs(filepath.Join(root, "manifests", "components", "network-isolation"))
	must(t, err)
	relative, err := filepath.Rel(dir, component)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, "kustomization.yaml"),
		[]byte(strings.Join([]string{"namespace: default", "components: [" + relative + "]", ""}, "\n")), 0o600))
	objects, err := manifests.Build(t.Context(), filepath.Join(assets, "kubectl"), dir, ".")
	must(t, err)
	require.Len(t, objects, 1)
	must(t, s.admin.Create(t.Context(), objects[0]))
	policy := &networkingv1.NetworkPolicy{}
	must(t, s.admin.Get(t.Context(), client.ObjectKeyFromObject(objects[0]), policy))
	require.Equal(t, networkingv1.NetworkPolicySpec{
		PodSelector: metav1.LabelSelector{MatchLabels: map[string]string{quarantine.QuarantinedLabel: quarantine.QuarantinedValue}},
		PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress},
	}, policy.Spec)
}
