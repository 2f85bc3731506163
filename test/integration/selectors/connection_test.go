package selectors

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"syscall"
	"testing"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/connrotation"
)

// connection is a client's connection to the API server.
type connection struct {
	*connrotation.Dialer
	refused atomic.Bool
}

// connect gives a client its own connection.
func connect(config *rest.Config) *connection {
	c := &connection{}
	c.Dialer = connrotation.NewDialer(func(ctx context.Context, network, address string) (net.Conn, error) {
		if c.refused.Load() {
			return nil, &net.OpError{Op: "dial", Net: network, Err: syscall.ECONNREFUSED}
		}
		return (&net.Dialer{}).DialContext(ctx, network, address)
	})
	config.Dial = c.DialContext
	return c
}

// cut closes open connections and refuses new ones.
func (c *connection) cut() {
	c.refused.Store(true)
	c.CloseAll()
}

func (c *connection) restore() { c.refused.Store(false) }

func TestLostConnectionIsAnErrorAndLosesNothing(t *testing.T) {
	t.Parallel()
	namespace := newNamespace(t)
	mine := rest.CopyConfig(config)
	connection := connect(mine)
	watcher := start(t, mine)
	waitReady(t, watcher)
	gone, before := createEach(t, namespace, "gone")
	waitMatching(t, watcher, namespace, blue, before...)

	connection.cut()
	waitFailing(t, watcher, func(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) })
	for _, object := range gone {
		remove(t, object)
	}
	_, after := createEach(t, namespace, "new")
	connection.restore()
	waitReady(t, watcher)
	waitMatching(t, watcher, namespace, blue, after...)
}
