package sweeper

import (
	"errors"
	"fmt"

	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"isolate.example.io/selectors"
)

// watchSelectors watches what selects pods. Every replica does, so that one that takes over
// starts at once. changed is called with the namespace of each selector that appears or
// changes.
func watchSelectors(mgr manager.Manager, options Options, changed func(namespace string)) (*selectors.Watcher, error) {
	objects, err := dynamic.NewForConfigAndClient(mgr.GetConfig(), mgr.GetHTTPClient())
	if err != nil {
		return nil, fmt.Errorf("making a client for custom resources: %w", err)
	}
	watcher, err := selectors.NewWatcher(mgr.GetConfig(), mgr.GetHTTPClient())
	if err != nil {
		return nil, err
	}
	watcher.WithResources(objects, options.SelectingResources)
	watcher.Changed = changed
	return watcher, errors.Join(mgr.Add(watcher), options.Metrics.Register(watcher), mgr.AddReadyzCheck("selectors", watcher.Ready))
}
