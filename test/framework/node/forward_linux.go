package node

import (
	"context"
	"net"
	"net/url"

	"k8s.io/client-go/rest"

	"isolate.example.io/test/framework/services"
)

// Forward forwards connections to the API server until the listener is closed. A listener
// that was opened outside of the node's namespaces makes the cluster usable there, with
// the returned config.
func (n *Node) Forward(ctx context.Context, listener net.Listener) (*rest.Config, error) {
	config := rest.CopyConfig(n.Config())
	api, err := url.Parse(config.Host)
	if err != nil {
		return nil, err
	}
	config.Host = "https://" + listener.Addr().String()
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go forward(ctx, client, api.Host)
		}
	}()
	return config, nil
}

func forward(ctx context.Context, client net.Conn, address string) {
	defer client.Close()
	server, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return
	}
	defer server.Close()
	services.Exchange(client, server)
}
