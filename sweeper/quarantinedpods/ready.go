package quarantinedpods

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/manager"
)

var errNotSynced = errors.New("the quarantined pods are not synced yet")

// AddReadyzCheck makes every replica read the pods, and report ready once it has read them,
// so that a replica that takes over starts at once.
func AddReadyzCheck(mgr manager.Manager) error {
	pods, err := mgr.GetCache().GetInformer(context.Background(), New(), cache.BlockUntilSynced(false))
	if err != nil {
		return fmt.Errorf("watching quarantined pods: %w", err)
	}
	return mgr.AddReadyzCheck("pods", func(*http.Request) error {
		if !pods.HasSynced() {
			return errNotSynced
		}
		return nil
	})
}
