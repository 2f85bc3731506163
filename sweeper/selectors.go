package sweeper

import (
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"isolate.example.io/selectors"
)

// watchSelectors watches what selects pods. Every replica does, so that one that takes over
// starts at once. changed is called with the namespace of each selector that appears or
// changes.
func watchSelectors(mgr manager.Manager, options Options, changed func(namespace string)) (*selectors.Watcher, error) {
	// Protobuf costs a fraction of the CPU and garbage of JSON: at every start, the sweeper
	// reads all ReplicaSets of the cluster, with their templates.
	protobuf := rest.CopyConfig(mgr.GetConfig())
	protobuf.ContentType = runtime.ContentTypeProtobuf
	protobuf.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	client, err := kubernetes.NewForConfigAndClient(protobuf, mgr.GetHTTPClient())
	if err != nil {
		return nil, fmt.Errorf("making a client for selectors: %w", err)
	}
	objects, err := dynamic.NewForConfigAndClient(mgr.GetConfig(), mgr.GetHTTPClient())
	if err != nil {
		return nil, fmt.Errorf("making a client for custom resources: %w", err)
	}
	watcher := selectors.NewWatcher(client).WithResources(objects, options.SelectingResources)
	watcher.Changed = changed
	return watcher, errors.Join(mgr.Add(watcher), options.Metrics.Register(watcher), mgr.AddReadyzCheck("selectors", watcher.Ready))
}
