//go:build linux

package node

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"isolate.example.io/certs/authority"
	"isolate.example.io/test/framework/load"
	"isolate.example.io/test/framework/node"
)

const (
	// writers are few, because other tests use the node too.
	writers = 4

	// propagation is shorter than the shipped five minutes, and three times as long as the
	// kubelet of this node takes to update a Secret in a container.
	propagation = "45s"

	// rotation bounds a rotation of the CA, which waits for the propagation several times.
	rotation = 5 * time.Minute
)

// secret returns the certificate in a Secret of isolate.
func certificate(t *testing.T, secret string) []byte {
	t.Helper()
	s, err := admin.CoreV1().Secrets(node.Namespace).Get(t.Context(), secret, metav1.GetOptions{})
	if err != nil {
		return nil
	}
	return s.Data[corev1.TLSCertKey]
}

// trusted returns the CA bundle of the webhook configuration.
func trusted(t *testing.T) []byte {
	t.Helper()
	configuration, err := admin.AdmissionregistrationV1().MutatingWebhookConfigurations().Get(t.Context(), authority.Configuration, metav1.GetOptions{})
	require.NoError(t, err)
	return configuration.Webhooks[0].ClientConfig.CABundle
}

// serve reports whether all replicas of the webhook serve with a certificate.
func serve(t *testing.T, certificate []byte) bool {
	t.Helper()
	block, _ := pem.Decode(certificate)
	pods, err := admin.CoreV1().Pods(node.Namespace).List(t.Context(), metav1.ListOptions{LabelSelector: "app.kubernetes.io/component=webhook"})
	require.NoError(t, err)
	for _, pod := range pods.Items {
		if !ready(&pod) {
			continue
		}
		// The certificate is compared, so its name doesn't matter.
		connection, err := tls.Dial("tcp", net.JoinHostPort(pod.Status.PodIP, "10250"), &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			return false
		}
		served := connection.ConnectionState().PeerCertificates[0].Raw
		if connection.Close() != nil || block == nil || !bytes.Equal(served, block.Bytes) {
			return false
		}
	}
	return len(pods.Items) > 0
}

// signed reports whether the CA signed the certificate.
func signed(certificate, ca []byte) bool {
	roots := x509.NewCertPool()
	block, _ := pem.Decode(certificate)
	if block == nil || !roots.AppendCertsFromPEM(ca) {
		return false
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return false
	}
	_, err = leaf.Verify(x509.VerifyOptions{Roots: roots})
	return err == nil
}

// renew deletes a Secret of isolate and waits until it has another certificate.
func (n *namespace) renew(secret string) (renewed []byte) {
	n.Helper()
	old := certificate(n.T, secret)
	require.NoError(n, admin.CoreV1().Secrets(node.Namespace).Delete(n.Context(), secret, metav1.DeleteOptions{}))
	n.until(func() bool {
		renewed = certificate(n.T, secret)
		return len(renewed) > 0 && !bytes.Equal(renewed, old)
	}, "Secret %s has a new certificate", secret)
	return renewed
}

// rollOut restarts the pods of a Deployment of isolate and waits until all are Ready.
func (n *namespace) rollOut(deployment string) {
	n.Helper()
	for _, args := range [][]string{
		{"rollout", "restart", "deployment/" + deployment},
		{"rollout", "status", "deployment/" + deployment},
	} {
		isolates := &namespace{T: n.T, name: node.Namespace}
		isolates.kubectl(args...)
	}
}

// The containers' real Secret volume, the real Service and real preStop sleeps are what
// this adds to the suites of the availability and of the certificates.
func TestNoAdmissionIsLostInRolloutsAndRotations(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	isolates := &namespace{T: t, name: node.Namespace}
	stream, err := load.Start(t.Context(), cluster.Config(), n.name, writers)
	require.NoError(t, err)
	isolates.kubectl("patch", "deployment", "isolate-sweeper", "--type=json",
		`--patch=[{"op": "add", "path": "/spec/template/spec/containers/0/args/-", "value": "--propagation-delay=`+propagation+`"}]`)
	isolates.kubectl("rollout", "status", "deployment/isolate-sweeper")
	n.rollOut("isolate-webhook")
	n.rollOut("isolate-webhook")
	t.Logf("after two rollouts of the webhook and one of the sweeper: %d admissions sent, %d lost", stream.Sent(), stream.Lost())

	start := time.Now()
	leaf := n.renew(authority.ServingSecret)
	n.until(func() bool { return serve(t, leaf) }, "all replicas serve with the new certificate")
	t.Logf("a new serving certificate was in use after %s: %d admissions sent, %d lost", time.Since(start).Round(time.Second), stream.Sent(), stream.Lost())

	start = time.Now()
	ca := n.renew(authority.CASecret)
	require.Eventually(t, func() bool {
		return bytes.Equal(trusted(t), ca) && signed(certificate(t, authority.ServingSecret), ca) && serve(t, certificate(t, authority.ServingSecret))
	}, rotation, time.Second, "only the new CA is trusted, and all replicas serve with a certificate that it signed")
	report := stream.Stop()
	t.Logf("a new CA was in use after %s: %s", time.Since(start).Round(time.Second), report)
	require.Zero(t, report.Lost)
}
