package certificates

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	certmanagerutil "github.com/cert-manager/cert-manager/pkg/api/util"
	certmanagerv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	certmanagermetav1 "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	certmanager "github.com/cert-manager/cert-manager/pkg/client/clientset/versioned"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"

	"isolate.example.io/certs/authority"
	"isolate.example.io/test/framework/controlplane"
	"isolate.example.io/test/framework/installation"
	"isolate.example.io/test/framework/waiting"
)

// Names in the component cert-manager: its Certificates and the CA's Secret.
const (
	servingCertificate = "isolate-webhook"
	caCertificate      = "isolate-ca"
	certManagerCA      = "isolate-cert-manager-ca"
)

// startCertManager installs cert-manager's CRDs and starts its controllers.
func (c *cluster) startCertManager() {
	c.Helper()
	module, err := exec.CommandContext(c.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/cert-manager/cert-manager").Output()
	require.NoError(c, err)
	c.kubectl("apply", "--server-side", "--filename="+filepath.Join(strings.TrimSpace(string(module)), "deploy", "crds"))
	c.kubectl("wait", "--for=condition=Established", "--timeout="+waiting.Patience.String(), "customresourcedefinitions", "--all")
	c.until("the API server serves cert-manager's resources", func() bool {
		_, err := c.admin.Discovery().ServerResourcesForGroupVersion(certmanagerv1.SchemeGroupVersion.String())
		return err == nil
	})
	program, err := controlplane.CertManager(c.Context(), os.Stderr)
	require.NoError(c, err)
	p, err := controlplane.StartProcess(c.TempDir(), "cert-manager", program, "--kubeconfig="+c.Kubeconfig())
	require.NoError(c, err)
	c.Cleanup(func() {
		if c.Failed() {
			c.Log(p.Err())
		}
		p.Kill()
	})
}

// renew makes cert-manager reissue a certificate, like cmctl renew.
func (c *cluster) renew(name string) {
	c.Helper()
	client, err := certmanager.NewForConfig(c.Config())
	require.NoError(c, err)
	certificates := client.CertmanagerV1().Certificates(installation.Namespace)
	require.NoError(c, retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		certificate, err := certificates.Get(c.Context(), name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		certmanagerutil.SetCertificateCondition(certificate, certificate.Generation, certmanagerv1.CertificateConditionIssuing,
			certmanagermetav1.ConditionTrue, "ManuallyTriggered", "This test renews it.")
		_, err = certificates.UpdateStatus(c.Context(), certificate, metav1.UpdateOptions{})
		return err
	}))
}

// renewServing renews the serving certificate and returns when all replicas use it.
func (c *cluster) renewServing(i *installation.Installation) {
	c.Helper()
	old := c.secret(authority.ServingSecret).Data[corev1.TLSCertKey]
	c.renew(servingCertificate)
	c.until("all replicas serve with a new certificate", func() bool {
		now := c.secret(authority.ServingSecret).Data[corev1.TLSCertKey]
		return !bytes.Equal(now, old) && c.allServe(i, now)
	})
}

// renewCA renews the CA and returns when the new one is trusted. The CA injector adds
// it to the bundle.
func (c *cluster) renewCA() {
	c.Helper()
	old := c.secret(certManagerCA).Data[corev1.TLSCertKey]
	c.renew(caCertificate)
	c.until("a new CA is trusted", func() bool {
		now := c.secret(certManagerCA).Data[corev1.TLSCertKey]
		return len(now) > 0 && !bytes.Equal(now, old) && bytes.Contains(c.bundle(), now)
	})
}

func TestCertManagerRenewalLosesNoAdmission(t *testing.T) {
	c := newCluster(t)
	c.startCertManager()
	i := c.install("overlays/cert-manager")
	ca := c.secret(certManagerCA).Data[corev1.TLSCertKey]
	require.Equal(t, string(ca), string(c.bundle()), "the CA injector's bundle")
	served := c.secret(authority.ServingSecret).Data[corev1.TLSCertKey]
	require.True(t, signedBy(served, ca))
	require.True(t, c.allServe(i, served))
	pod := c.pod()
	c.until("a pod can be quarantined: both configurations have the CA", func() bool { return c.quarantine(pod) == nil })

	s := c.stream()
	for _, renewal := range []struct {
		of    string
		renew func()
		times int
	}{
		{"serving certificate", func() { c.renewServing(i) }, *servingRotations},
		{"CA", c.renewCA, *caRotations},
		{"serving certificate, issued by the renewed CA", func() { c.renewServing(i) }, 1},
	} {
		began := s.Sent()
		for range renewal.times {
			since := s.Sent()
			renewal.renew()
			c.sent(s, since)
		}
		t.Logf("%d renewals of the %s: %d admissions, %d lost", renewal.times, renewal.of, s.Sent()-began, s.Lost())
	}
	report := s.Stop()
	t.Logf("renewals by cert-manager: %s", report)
	require.Zero(t, report.Lost)
	require.True(t, signedBy(c.secret(authority.ServingSecret).Data[corev1.TLSCertKey], c.bundle()))
	c.quarantined()

	c.shell("kubectl delete -k manifests/overlays/cert-manager")
	c.shell(`test -z "$(kubectl get -k manifests/overlays/cert-manager --ignore-not-found)"`)
}
