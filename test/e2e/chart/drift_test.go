package chart

import (
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Argo CD and Flux compare what the chart renders with what is in the cluster, client-side or
// server-side, which they force. isolate itself adds to that: the sweeper writes the caBundle, and Kubernetes
// the rules of the aggregated ClusterRole.
func TestNothingDrifts(t *testing.T) {
	for _, apply := range [][]string{{"apply"}, {"apply", "--server-side", "--field-manager=gitops"}} {
		t.Run(apply[len(apply)-1], func(t *testing.T) {
			c := start(t)
			rendered := render(t, "namespace.create=true")
			out, err := c.kubectlWith(rendered, append(apply, "--validate=strict", "--filename=-")...)
			require.NoError(t, err, out)
			c.run()
			configuration, err := c.admin.AdmissionregistrationV1().MutatingWebhookConfigurations().Get(t.Context(), "isolate", metav1.GetOptions{})
			require.NoError(t, err)
			require.NotEmpty(t, configuration.Webhooks[0].ClientConfig.CABundle)
			for _, diff := range [][]string{{"diff"}, {"diff", "--server-side", "--force-conflicts", "--field-manager=gitops"}} {
				out, err := c.kubectlWith(rendered, append(diff, "--filename=-")...)
				require.NoError(t, err, "%v: %s", diff, out)
				require.Empty(t, out, "%v", diff)
			}
		})
	}
}

// A value that the API server refuses would show at the installation only.
func TestTheAPIServerTakesEveryValue(t *testing.T) {
	c := start(t)
	c.kubectl("create", "namespace", "isolate-system")
	c.kubectl("create", "namespace", "shop")
	c.kubectl("create", "namespace", "ah")
	var all []string
	for path, s := range values {
		switch path {
		case "certManager", "monitoring.rules", "monitoring.serviceMonitors", "namespace.create": // Their kinds are not installed here.
		default:
			all = append(all, path+"="+s.value)
		}
	}
	out, err := c.kubectlWith(renderJSON(t, all...), "apply", "--server-side", "--dry-run=server", "--validate=strict", "--warnings-as-errors", "--filename=-")
	require.NoError(t, err, out)
}
