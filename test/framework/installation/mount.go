package installation

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"isolate.example.io/certs/authority"
)

// dataLink is the symlink that a kubelet replaces to update a volume atomically.
const dataLink = "..data"

// mount does the kubelet's work for one replica: it writes the webhook's Secret to a
// folder, and every change after the delay, atomically. It returns once the Secret
// exists, since no container would start without it. A deleted Secret stays mounted. The
// work ends with the context running.
func (i *Installation) mount(ctx, running context.Context, dir string, delay time.Duration) error {
	var mounted map[string][]byte
	if err := i.waitUntil(ctx, "there is a Secret "+authority.ServingSecret, func(ctx context.Context) bool {
		mounted = i.servingSecret(ctx)
		return len(mounted) > 0
	}); err != nil {
		return err
	}
	if err := project(dir, 0, mounted); err != nil {
		return err
	}
	go func() {
		for version := 1; ; version++ {
			changed, ok := i.change(running, mounted, delay)
			if !ok {
				return
			}
			mounted = changed
			if err := project(dir, version, mounted); err != nil {
				return // The folder is gone, so the test is over.
			}
		}
	}()
	return nil
}

// change returns the Secret's data once it differs from what is mounted and the
// delay has passed. ok is false when the context has ended.
func (i *Installation) change(running context.Context, mounted map[string][]byte, delay time.Duration) (changed map[string][]byte, ok bool) {
	err := poll(running, func(ctx context.Context) (bool, error) {
		changed = i.servingSecret(ctx)
		return len(changed) > 0 && !maps.EqualFunc(changed, mounted, bytes.Equal), nil
	})
	if err != nil {
		return nil, false
	}
	select {
	case <-time.After(delay):
		return changed, true
	case <-running.Done():
		return nil, false
	}
}

// servingSecret returns the Secret's data, or nothing if it can't be read now.
func (i *Installation) servingSecret(ctx context.Context) map[string][]byte {
	secret := &corev1.Secret{}
	err := i.client.Get(ctx, client.ObjectKey{Namespace: Namespace, Name: authority.ServingSecret}, secret)
	if err != nil && !apierrors.IsNotFound(err) {
		return nil
	}
	return secret.Data
}

// project writes files as a kubelet does: into a new folder, to which it then
// switches one symlink.
func project(dir string, version int, files map[string][]byte) error {
	data := fmt.Sprintf("..%d", version)
	if err := os.MkdirAll(filepath.Join(dir, data), 0o755); err != nil {
		return err
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, data, name), content, 0o600); err != nil {
			return err
		}
		if err := os.Symlink(filepath.Join(dataLink, name), filepath.Join(dir, name)); err != nil && !os.IsExist(err) {
			return err
		}
	}
	next := filepath.Join(dir, "..next")
	if err := os.Symlink(data, next); err != nil {
		return err
	}
	return os.Rename(next, filepath.Join(dir, dataLink))
}
