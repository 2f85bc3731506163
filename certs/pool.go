package certs

import (
	"crypto/x509"
	"fmt"
	"os"
)

// ReadPool reads the certificates of a PEM file. It returns nil for no file.
func ReadPool(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading CAs: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data) {
		return nil, fmt.Errorf("reading CAs: %s has no certificate", file)
	}
	return pool, nil
}
