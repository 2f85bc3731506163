package selectors

import (
	"fmt"
	"net/http"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
)

// clients read the built-in kinds, a client for each group. Objects come as protobuf, which
// costs a fraction of the CPU and garbage of JSON, and without what [pruning] drops: at every
// start, the programs read all ReplicaSets of the cluster.
type clients map[string]rest.Interface

func newClients(config *rest.Config, client *http.Client) (clients, error) {
	config = rest.CopyConfig(config)
	config.ContentType = runtime.ContentTypeProtobuf
	config.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	config.NegotiatedSerializer = pruning{scheme.Codecs.WithoutConversion()}
	all := clients{}
	for _, version := range []schema.GroupVersion{
		{Version: "v1"},
		{Group: "apps", Version: "v1"},
		{Group: "batch", Version: "v1"},
		{Group: "policy", Version: "v1"},
		{Group: "networking.k8s.io", Version: "v1"},
		{Group: "discovery.k8s.io", Version: "v1"},
	} {
		config.GroupVersion, config.APIPath = &version, "/apis"
		if version.Group == "" {
			config.APIPath = "/api"
		}
		built, err := rest.RESTClientForConfigAndClient(config, client)
		if err != nil {
			return nil, fmt.Errorf("creating a client for %s: %w", version, err)
		}
		all[version.Group] = built
	}
	return all, nil
}
