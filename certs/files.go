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

// readInterval is how often the files are read. Reading them costs less than
// finding out reliably that a mounted Secret has changed.
const readInterval = time.Second

// Files is the certificate in a folder that something else fills, such as a
// mounted Secret. It follows every change. Files that can't be read, or a
// certificate and a key that don't fit each other, leave the last good one in use.
type Files struct {
	dir     string
	clock   clock.WithTicker
	current atomic.Pointer[tls.Certificate]
	problem atomic.Pointer[error]
	outside atomic.Bool // whether it was last found not to be valid at this machine's time
}

// NewFiles returns the certificate in a folder. It is there once Start has found it.
func NewFiles(dir string, clock clock.WithTicker) *Files {
	f := &Files{dir: dir, clock: clock}
	f.problem.Store(&errNone)
	return f
}

// Start reads the files until the context ends. It implements
// controller-runtime's manager.Runnable.
func (f *Files) Start(ctx context.Context) error {
	ticker := f.clock.NewTicker(readInterval)
	defer ticker.Stop()
	for {
		f.read(ctx)
		f.judge(ctx)
		select {
		case <-ticker.C():
		case <-ctx.Done():
			return nil
		}
	}
}

// NeedLeaderElection implements controller-runtime's LeaderElectionRunnable:
// every replica serves.
func (f *Files) NeedLeaderElection() bool { return false }

// GetCertificate is for [tls.Config].
func (f *Files) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if current := f.current.Load(); current != nil {
		return current, nil
	}
	return nil, *f.problem.Load()
}

// Ready implements controller-runtime's healthz.Checker.
func (f *Files) Ready(*http.Request) error {
	_, err := f.GetCertificate(nil)
	return err
}

// read takes over what the files hold, and logs each change and each new problem.
func (f *Files) read(ctx context.Context) {
	logger := log.FromContext(ctx).WithValues("folder", f.dir)
	cert, err := tls.LoadX509KeyPair(filepath.Join(f.dir, CertFile), filepath.Join(f.dir, KeyFile))
	if err != nil {
		err = fmt.Errorf("reading the serving certificate: %w", err)
		if known := f.problem.Swap(&err); known == nil || (*known).Error() != err.Error() {
			logger.Error(err, logGoingOn)
		}
		return
	}
	// In this order: whoever finds no certificate finds a problem.
	defer f.problem.Store(nil)
	if current := f.current.Load(); current == nil || !current.Leaf.Equal(cert.Leaf) {
		f.current.Store(&cert)
		logger.Info(logTaken, "serial", cert.Leaf.SerialNumber.String(), "notAfter", cert.Leaf.NotAfter)
	}
}

// judge logs whether the certificate is valid at this machine's time, each time
// that this changes. It is served all the same: an API server's clock may be right
// where this one is wrong.
func (f *Files) judge(ctx context.Context) {
	current := f.current.Load()
	if current == nil {
		return
	}
	outside := !valid(current.Leaf, f.clock.Now())
	if f.outside.Swap(outside) == outside {
		return
	}
	logger := log.FromContext(ctx).WithValues("notBefore", current.Leaf.NotBefore, "notAfter", current.Leaf.NotAfter, "now", f.clock.Now())
	if outside {
		logger.Error(nil, logOutside)
	} else {
		logger.Info(logInside)
	}
}
