package webhook

import (
	"crypto/tls"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/utils/clock"
)

// Whoever closes an idle connection first may lose what the other sends on it.
func TestTheAPIServerIsTheOneToCloseConnections(t *testing.T) {
	its := utilnet.SetTransportDefaults(&http.Transport{}).IdleConnTimeout
	require.Equal(t, apiServerIdleTimeout, its)
	none := func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, errors.New("nobody asks") }
	server, err := NewServer("127.0.0.1:0", none, http.NotFoundHandler(), NewDrain(time.Second, clock.RealClock{}))
	require.NoError(t, err)
	defer server.Listener.Close()
	require.Greater(t, server.Server.IdleTimeout, its, "of those that were used")
	require.Greater(t, server.Server.ReadHeaderTimeout, its, "of those that never were")
}

// A pod that is killed before its drain is over loses what the drain is for.
func TestThePodHasTheTimeToDrain(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("..", "manifests", "base", "webhook-deployment.yaml"))
	require.NoError(t, err)
	deployment := &appsv1.Deployment{}
	require.NoError(t, yaml.UnmarshalStrict(data, deployment))
	pod := deployment.Spec.Template.Spec
	sleep := time.Duration(pod.Containers[0].Lifecycle.PreStop.Sleep.Seconds) * time.Second
	has := time.Duration(*pod.TerminationGracePeriodSeconds) * time.Second
	require.Greater(t, has, sleep+maxDrain+shutdownTimeout)
}
