package certificates

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"

	"isolate.example.io/certs/authority"
	"isolate.example.io/test/framework/controlplane"
	"isolate.example.io/test/framework/installation"
)

// The sweeper issues certificates by the API server's clock, which is a day ahead
// here. For the webhook, whose clock is right, they are not valid before tomorrow.
func TestClockSkewIsReported(t *testing.T) {
	c := sharedCluster(t)
	i := c.installWith(c.options([]string{quick}))
	c.healed(i)
	replica := running(i, "webhook")[0]
	running(i, "sweeper")[0].Kill()
	c.kubectl("delete", "--namespace="+installation.Namespace, "lease/isolate-sweeper")
	kubeconfig, ahead := c.shiftedClock()
	ahead.Store(int64(24*time.Hour + time.Second))
	sweeper, err := i.StartSweeper(c.Context(), "--kubeconfig="+kubeconfig)
	require.NoError(t, err)

	// A Date header is only exact to the second, so the reported skew may be a second more.
	said := func(by string) string {
		return "The API server's clock is " + by + " ahead of this machine's. Certificates are issued by the API server's clock; check time synchronization on the node."
	}
	c.until("the sweeper reports the skew", func() bool {
		return c.logged(sweeper, said("24h0m0s"))+c.logged(sweeper, said("24h0m1s")) > 0 &&
			(c.reported(authority.CASecret, said("24h0m0s")) || c.reported(authority.CASecret, said("24h0m1s")))
	})
	c.deleteSecret(authority.ServingSecret)
	c.until("the webhook reports a certificate outside its validity", func() bool {
		outside, _ := c.metric(replica, "isolate_serving_certificate_outside_validity")
		return outside == 1 && c.logged(replica, "The serving certificate is not valid by this machine's clock, so API servers may reject it; "+
			"check time synchronization and the certificate's issuer") > 0
	})

	ahead.Store(0)
	c.deleteSecret(authority.ServingSecret)
	c.healed(i)
	require.Positive(t, c.logged(sweeper, "This machine's clock and the API server's agree again"))
	c.until("the webhook reports a valid certificate", func() bool {
		outside, ok := c.metric(replica, "isolate_serving_certificate_outside_validity")
		return ok && outside == 0
	})
}

// shiftedClock returns a kubeconfig for an API server whose clock seems to be ahead
// by that many nanoseconds.
func (c *cluster) shiftedClock() (kubeconfig string, ahead *atomic.Int64) {
	c.Helper()
	config, err := c.ServiceAccountConfig(c.Context(), installation.Namespace, "isolate-sweeper")
	require.NoError(c, err)
	target, err := url.Parse(config.Host)
	require.NoError(c, err)
	transport, err := rest.TransportFor(rest.AnonymousClientConfig(config))
	require.NoError(c, err)
	ahead = &atomic.Int64{}
	server := httptest.NewTLSServer(&httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport:     transport,
		FlushInterval: -1, // Watch events are forwarded immediately.
		ModifyResponse: func(response *http.Response) error {
			date, err := http.ParseTime(response.Header.Get("Date"))
			if err == nil {
				response.Header.Set("Date", date.Add(time.Duration(ahead.Load())).UTC().Format(http.TimeFormat))
			}
			return err
		},
	})
	c.Cleanup(func() {
		server.CloseClientConnections() // ends the watches
		server.Close()
	})
	config.Host, config.CAData = server.URL, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	kubeconfig = filepath.Join(c.TempDir(), "kubeconfig")
	require.NoError(c, controlplane.WriteKubeconfig(config, kubeconfig))
	return kubeconfig, ahead
}
