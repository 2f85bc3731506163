package deletions

import (
	"context"
	"fmt"
	"net"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"isolate.example.io/clocks"
)

// Client makes the requests that a deletion needs, over its own connection. So no other
// request of the sweeper can take its stream, or delay it by a large response.
type Client struct {
	// Pods deletes. The manager's client would decode the whole pod that a deletion
	// responds with, encode it again, and decode that.
	Pods corev1client.PodsGetter

	// Live reads the metadata of pods from the API server.
	Live client.Reader

	// AskTime makes the cheapest request, for the Date header of its response.
	AskTime func(context.Context) error
}

// NewClient returns a client for a manager's API server.
func NewClient(mgr manager.Manager) (Client, error) {
	config := rest.CopyConfig(mgr.GetConfig())
	// client-go shares connections between configurations that have the same dialer.
	config.Dial = (&net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}).DialContext
	httpClient, err := rest.HTTPClientFor(config)
	if err != nil {
		return Client{}, fmt.Errorf("making a connection for deletions: %w", err)
	}
	live, err := client.New(config, client.Options{HTTPClient: httpClient, Scheme: mgr.GetScheme(), Mapper: mgr.GetRESTMapper()})
	if err != nil {
		return Client{}, fmt.Errorf("making a client for deletions: %w", err)
	}
	ask, err := clocks.NewAsk(config, httpClient)
	if err != nil {
		return Client{}, err
	}
	protobuf := rest.CopyConfig(config)
	protobuf.ContentType = runtime.ContentTypeProtobuf
	protobuf.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	pods, err := corev1client.NewForConfigAndClient(protobuf, httpClient)
	if err != nil {
		return Client{}, fmt.Errorf("making a client for deletions: %w", err)
	}
	return Client{Pods: pods, Live: live, AskTime: ask}, nil
}
