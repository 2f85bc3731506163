package controlplane

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/keyutil"
)

const (
	// lifetime is the validity of every certificate and token: longer than anyone
	// leaves a control plane running.
	lifetime = 10 * 365 * 24 * time.Hour

	// age is how long certificates have been valid, as those of a cluster that has run for a
	// while: a program whose clock is behind can use them.
	age = 7 * 24 * time.Hour

	caFile                = "ca.crt"
	servingCertFile       = "apiserver.crt"
	servingKeyFile        = "apiserver.key"
	serviceAccountKeyFile = "serviceaccount.key"

	// The API server's certificate towards kubelets.
	kubeletClientCertFile = "apiserver-kubelet-client.crt"
	kubeletClientKeyFile  = "apiserver-kubelet-client.key"

	// The administrator, named like kubeadm's.
	adminName  = "kubernetes-admin"
	adminGroup = "system:masters"
)

// authority is the cluster's CA: it signs the certificates of the API server and
// its users.
type authority struct {
	cert *x509.Certificate
	key  crypto.Signer
	pem  []byte
}

// newAuthority creates the CA and writes the files that the API server, at these
// addresses, and the controller manager read.
func newAuthority(dir string, addresses ...net.IP) (*authority, error) {
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	a := &authority{key: key}
	template := certificate("control plane")
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage |= x509.KeyUsageCertSign
	a.cert = template // self-signed
	if a.cert, a.pem, err = a.sign(template, key.Public()); err != nil {
		return nil, err
	}
	serving, servingKey, err := a.issue(&x509.Certificate{
		Subject:     pkix.Name{CommonName: "kube-apiserver"},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IPAddresses: addresses,
		DNSNames:    []string{"localhost", "kubernetes.default.svc"},
	})
	if err != nil {
		return nil, err
	}
	serviceAccountKey, err := keyutil.MakeEllipticPrivateKeyPEM()
	if err != nil {
		return nil, err
	}
	kubeletClient := a.config("", "kube-apiserver-kubelet-client", adminGroup)
	for name, data := range map[string][]byte{
		caFile: a.pem, servingCertFile: serving, servingKeyFile: servingKey, serviceAccountKeyFile: serviceAccountKey,
		kubeletClientCertFile: kubeletClient.CertData, kubeletClientKeyFile: kubeletClient.KeyData,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// config returns the config of a client that the API server authenticates as this
// user in these groups.
func (a *authority) config(url, name string, groups ...string) *rest.Config {
	config := &rest.Config{Host: url, QPS: -1}
	config.CAData = a.pem
	var err error
	config.CertData, config.KeyData, err = a.issue(&x509.Certificate{
		Subject:     pkix.Name{CommonName: name, Organization: groups},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil { // Only the system's random number generator could fail.
		panic(fmt.Errorf("issuing a certificate for %s: %w", name, err))
	}
	return config
}

// issue returns a certificate and its key, as PEM.
func (a *authority) issue(template *x509.Certificate) (cert, key []byte, err error) {
	signer, err := newKey()
	if err != nil {
		return nil, nil, err
	}
	dated := certificate("")
	template.SerialNumber, template.NotBefore, template.NotAfter = dated.SerialNumber, dated.NotBefore, dated.NotAfter
	template.KeyUsage = dated.KeyUsage
	if _, cert, err = a.sign(template, signer.Public()); err != nil {
		return nil, nil, err
	}
	key, err = keyutil.MarshalPrivateKeyToPEM(signer)
	return cert, key, err
}

func (a *authority) sign(template *x509.Certificate, key crypto.PublicKey) (*x509.Certificate, []byte, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key, a.key)
	if err != nil {
		return nil, nil, err
	}
	cert, err := x509.ParseCertificate(der)
	return cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), err
}

func certificate(name string) *x509.Certificate {
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    now.Add(-age),
		NotAfter:     now.Add(lifetime),
		KeyUsage:     x509.KeyUsageDigitalSignature,
	}
}

func newKey() (*ecdsa.PrivateKey, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }
