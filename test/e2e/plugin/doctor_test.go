package plugin

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"isolate.example.io/quarantine"
	"isolate.example.io/test/framework/controlplane"
	"isolate.example.io/test/framework/installation"
	"isolate.example.io/test/gen"
)

// checks are the lines of doctor, without what differs from run to run.
func checks(out string) []string {
	var lines []string
	for line := range strings.Lines(out) {
		line = strings.TrimRight(steady(line), "\n")
		if before, _, found := strings.Cut(line, ", for "); found {
			line = before
		}
		if before, _, found := strings.Cut(line, "a dry run quarantined pod/isolate-webhook-"); found {
			line = before + "a dry run quarantined one of isolate's pods"
		}
		lines = append(lines, line)
	}
	return lines
}

func TestDoctorSaysThatAQuarantineWouldWork(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	n.until(func() bool { return strings.Contains(n.done("doctor"), "2 of 2 replicas are ready") }, "the webhook's pods are ready")
	require.Equal(t, []string{
		"OK       The API server answers: " + controlplane.Version,
		"OK       isolate is installed in namespace isolate-system",
		"OK       The webhook is isolate.example.io/isolate:dev: 2 of 2 replicas are ready",
		"OK       The policies are bound: isolate-pods, isolate-pods-status, isolate-bindings, isolate-workloads",
		"OK       The webhook's certificate is valid until TIME",
		"OK       You may quarantine pods in namespace shop",
		"OK       The webhook answers: a dry run quarantined one of isolate's pods",
		"WARNING  Quarantined pods in namespace shop may have more network access than before: no NetworkPolicy selects all of them",
		"         To deny their ingress and egress: the component manifests/components/network-isolation",
	}, checks(n.done("doctor")))

	_, err := admin.NetworkingV1().NetworkPolicies(n.name).Create(t.Context(), &networkingv1.NetworkPolicy{
		ObjectMeta: gen.Meta("isolate-quarantined"), Spec: networkingv1.NetworkPolicySpec{
			PodSelector: metav1.LabelSelector{MatchLabels: map[string]string{quarantine.QuarantinedLabel: quarantine.QuarantinedValue}},
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress},
		},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	require.Contains(t, n.done("doctor"), "OK       Quarantined pods in namespace shop have no network: NetworkPolicy/isolate-quarantined denies ingress and egress\n")
}

func TestDoctorSaysWhatTheCallerMayNotDoOrSee(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	n.createPod(gen.Pod("web", gen.Labels(web)))
	r := n.as("reads-pods", may("", "pods", "get", "list")).isolate("doctor")
	require.Equal(t, 1, r.code)
	require.Equal(t, "error: a quarantine would not work in namespace shop: see FAILED above\n", r.errOut)
	require.Contains(t, r.out, "UNKNOWN  Can't tell whether isolate is installed: mutatingwebhookconfigurations.admissionregistration.k8s.io")
	require.Contains(t, r.out, "FAILED   You may not quarantine pods in namespace shop: it takes the permissions to get, patch and delete pods, and you may not patch, delete\n"+
		"         Ask who administers the namespace for a Role with them\n")

	limited := n.as("quarantines", may("", "pods", "get", "list", "patch", "delete"))
	require.Contains(t, limited.done("doctor"), "OK       The webhook answers: a dry run quarantined pod/web in namespace shop\n")
}

// Not parallel: it takes away what the other tests need, and puts it back.
func TestDoctorSaysWhatIsBroken(t *testing.T) {
	n := newNamespace(t)
	n.createPod(gen.Pod("web", gen.Labels(web)))
	failing := func(want string) {
		t.Helper()
		n.until(func() bool {
			r := n.isolate("doctor")
			return r.code == 1 && strings.Contains(r.out, "FAILED   "+want)
		}, "doctor says: %s", want)
	}
	works := func() {
		t.Helper()
		n.until(func() bool { return n.isolate("doctor").code == 0 }, "a quarantine would work")
	}
	bindings := admin.AdmissionregistrationV1().ValidatingAdmissionPolicyBindings()
	binding, err := bindings.Get(t.Context(), "isolate-pods", metav1.GetOptions{})
	require.NoError(t, err)
	require.NoError(t, bindings.Delete(t.Context(), binding.Name, metav1.DeleteOptions{}))
	failing("Without these ValidatingAdmissionPolicies, or their bindings, isolate is not safe: isolate-pods\n" +
		"         To install isolate: kubectl apply --server-side -k manifests/overlays/default\n")
	_, err = bindings.Create(t.Context(), &admissionregistrationv1.ValidatingAdmissionPolicyBinding{ObjectMeta: fresh(binding.ObjectMeta), Spec: binding.Spec}, metav1.CreateOptions{})
	require.NoError(t, err)
	works()

	for _, program := range isolated.Programs() {
		if program.Name == "webhook" {
			program.Delete()
			program.Kill()
		}
	}
	failing("The webhook does not answer: Internal error occurred: failed calling webhook \"pods.isolate.example.io\"")
	_, err = isolated.StartWebhook(t.Context())
	require.NoError(t, err)
	works()

	configurations := admin.AdmissionregistrationV1().MutatingWebhookConfigurations()
	configuration, err := configurations.Get(t.Context(), "isolate", metav1.GetOptions{})
	require.NoError(t, err)
	require.NoError(t, configurations.Delete(t.Context(), configuration.Name, metav1.DeleteOptions{}))
	failing("isolate is not installed: there is no MutatingWebhookConfiguration isolate\n")
	_, err = configurations.Create(t.Context(), &admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: fresh(configuration.ObjectMeta), Webhooks: configuration.Webhooks}, metav1.CreateOptions{})
	require.NoError(t, err)
	works()
}

// Not parallel: the sweeper is stopped, so that nothing renews the certificate.
func TestDoctorSaysThatTheCertificateEnds(t *testing.T) {
	n := newNamespace(t)
	doctor := func(code int, want string) {
		t.Helper()
		n.until(func() bool {
			r := n.isolate("doctor")
			return r.code == code && strings.Contains(steady(r.out), want)
		}, "doctor says: %s", want)
	}
	for _, program := range isolated.Programs() {
		if program.Name == "sweeper" {
			program.Kill()
		}
	}
	n.serveCertificate(-80*24*time.Hour, 36*time.Hour)
	doctor(0, "WARNING  The webhook's certificate was not renewed: it is valid until TIME, for 35h\n"+
		"         To see why it is not renewed: kubectl get events -n isolate-system. To have a new one made: kubectl delete secret -n isolate-system isolate-webhook-tls\n")
	n.serveCertificate(-80*24*time.Hour, -time.Hour)
	doctor(1, "FAILED   The webhook's certificate has expired, or can't be read\n         To see why it is not renewed: ")

	_, err := isolated.StartSweeper(t.Context())
	require.NoError(t, err)
	n.kubectl("delete", "secret", "-n", "isolate-system", "isolate-webhook-tls", "--ignore-not-found")
	doctor(0, "OK       The webhook's certificate is valid until TIME, for ")
	doctor(0, "OK       The webhook answers: ")
}

// serveCertificate replaces the webhook's certificate by one with this validity from now.
func (n *namespace) serveCertificate(begin, end time.Duration) {
	n.Helper()
	secrets := admin.CoreV1().Secrets(installation.Namespace)
	ca, err := secrets.Get(n.Context(), "isolate-ca", metav1.GetOptions{})
	require.NoError(n, err)
	issuer, err := tls.X509KeyPair(ca.Data[corev1.TLSCertKey], ca.Data[corev1.TLSPrivateKeyKey])
	require.NoError(n, err)
	serving, err := secrets.Get(n.Context(), "isolate-webhook-tls", metav1.GetOptions{})
	require.NoError(n, err)
	pair, err := tls.X509KeyPair(serving.Data[corev1.TLSCertKey], serving.Data[corev1.TLSPrivateKeyKey])
	require.NoError(n, err)
	template := *pair.Leaf
	template.NotBefore, template.NotAfter = time.Now().Add(begin), time.Now().Add(end)
	certificate, err := x509.CreateCertificate(rand.Reader, &template, issuer.Leaf, template.PublicKey, issuer.PrivateKey)
	require.NoError(n, err)
	serving.Data[corev1.TLSCertKey] = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate})
	_, err = secrets.Update(n.Context(), serving, metav1.UpdateOptions{})
	require.NoError(n, err)
}

// fresh is the metadata of an object that is created again.
func fresh(meta metav1.ObjectMeta) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: meta.Name, Labels: meta.Labels, Annotations: meta.Annotations}
}
