package certs

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"path/filepath"
	"sync/atomic"
	"time"

	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

// Names of the files in a mounted Secret of type kubernetes.io/tls.
const (
	CertFile = "tls.crt"
	KeyFile  = "tls.key"
	CAFile   = "ca.crt"
)

// readInterval is how often the files are read. Reading them is cheaper than
// detecting reliably that a mounted Secret has changed.
const readInterval = time.Second

// FileSource serves the certificate from a directory, such as a mounted Secret, and loads
// every change. If the files can't be read, or the key does not belong to the
// certificate, the last good certificate stays in use.
type FileSource struct {
	dir     string
	clock   clock.WithTicker
	current atomic.Pointer[tls.Certificate]
	err     atomic.Pointer[error]
	// outside reports whether the certificate was last found not to be valid by this
	// machine's clock.
	outside atomic.Bool
}

// NewFileSource returns the source of a directory. Start reads it.
func NewFileSource(dir string, clock clock.WithTicker) *FileSource {
	s := &FileSource{dir: dir, clock: clock}
	s.err.Store(&errNotRead)
	return s
}

// Start reads the files until the context ends. It implements
// controller-runtime's manager.Runnable.
func (s *FileSource) Start(ctx context.Context) error {
	ticker := s.clock.NewTicker(readInterval)
	defer ticker.Stop()
	for {
		s.read(ctx)
		s.checkValidity(ctx)
		select {
		case <-ticker.C():
		case <-ctx.Done():
			return nil
		}
	}
}

// NeedLeaderElection implements controller-runtime's LeaderElectionRunnable:
// every replica serves.
func (s *FileSource) NeedLeaderElection() bool { return false }

// GetCertificate is for [tls.Config].
func (s *FileSource) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if current := s.current.Load(); current != nil {
		return current, nil
	}
	return nil, *s.err.Load()
}

// Ready implements controller-runtime's healthz.Checker.
func (s *FileSource) Ready(*http.Request) error {
	_, err := s.GetCertificate(nil)
	return err
}

// read loads the files, and logs each change and each new error.
func (s *FileSource) read(ctx context.Context) {
	logger := log.FromContext(ctx).WithValues("directory", s.dir)
	cert, err := tls.LoadX509KeyPair(filepath.Join(s.dir, CertFile), filepath.Join(s.dir, KeyFile))
	if err != nil {
		err = fmt.Errorf("reading the serving certificate: %w", err)
		if known := s.err.Swap(&err); known == nil || (*known).Error() != err.Error() {
			logger.Error(err, logKeeping)
		}
		return
	}
	// Order matters: a reader that sees no certificate must see an error.
	defer s.err.Store(nil)
	if current := s.current.Load(); current == nil || !current.Leaf.Equal(cert.Leaf) {
		s.current.Store(&cert)
		logger.Info(logLoaded, "serial", cert.Leaf.SerialNumber.String(), "notAfter", cert.Leaf.NotAfter)
	}
}

// checkValidity logs when the certificate stops or starts being valid by this
// machine's clock. It is served either way: the API server's clock may be right
// where this one is wrong.
func (s *FileSource) checkValidity(ctx context.Context) {
	current := s.current.Load()
	if current == nil {
		return
	}
	leaf, now := current.Leaf, s.clock.Now()
	outside := now.Before(leaf.NotBefore) || now.After(leaf.NotAfter)
	if s.outside.Swap(outside) == outside {
		return
	}
	logger := log.FromContext(ctx).WithValues("notBefore", leaf.NotBefore, "notAfter", leaf.NotAfter, "now", now)
	if outside {
		logger.Error(nil, logOutside)
	} else {
		logger.Info(logInside)
	}
}
