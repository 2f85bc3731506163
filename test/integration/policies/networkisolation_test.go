package policies

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"isolate.example.io/quarantine"
	"isolate.example.io/test/framework/manifests"
)

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
