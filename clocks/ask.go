package clocks

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
)

// askTimeout bounds a request for the API server's time.
const askTimeout = 10 * time.Second

// NewAsk returns a function that makes the cheapest request to the API server, for the
// Date header of its response. A response with an error has one too.
func NewAsk(config *rest.Config, httpClient *http.Client) (func(context.Context) error, error) {
	client, err := discovery.NewDiscoveryClientForConfigAndClient(config, httpClient)
	if err != nil {
		return nil, fmt.Errorf("making a client for the API server's time: %w", err)
	}
	return func(ctx context.Context) error {
		return client.RESTClient().Get().AbsPath("/version").Timeout(askTimeout).Do(ctx).Error()
	}, nil
}
