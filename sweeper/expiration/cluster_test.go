package expiration

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"isolate.example.io/clocks"
	"isolate.example.io/sweeper/deletions"
	"isolate.example.io/sweeper/events"
	"isolate.example.io/sweeper/internal/gen"
)

var (
	resource = schema.GroupResource{Resource: "pods"}

	conflict = apierrors.NewConflict(resource, "web-1", errors.New("changed"))
)

// cluster has one pod or none, as the cache has it and as the API server has it. It is
// also the API server's clock.
type cluster struct {
	client.Reader
	cached, stored *metav1.PartialObjectMetadata
	responses      []error // to deletions, in order; then success
	deleting       func()  // called before each response

	deletes []metav1.DeleteOptions
	lists   int
	events  []events.Event

	local  *clocktesting.FakePassiveClock
	server time.Time
	noDate bool
}

func newCluster(pod *metav1.PartialObjectMetadata) *cluster {
	return &cluster{cached: pod, local: clocktesting.NewFakePassiveClock(gen.Noon), server: gen.Noon}
}

// Get reads from the cache.
func (c *cluster) Get(_ context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	if c.cached == nil {
		return apierrors.NewNotFound(resource, key.Name)
	}
	c.cached.DeepCopyInto(into.(*metav1.PartialObjectMetadata))
	return nil
}

// List reads from the API server.
func (c *cluster) List(_ context.Context, into client.ObjectList, _ ...client.ListOption) error {
	c.lists++
	if c.stored != nil {
		into.(*metav1.PartialObjectMetadataList).Items = []metav1.PartialObjectMetadata{*c.stored}
	}
	return nil
}

// Pods implements [corev1client.PodsGetter].
func (c *cluster) Pods(string) corev1client.PodInterface { return podDeleter{cluster: c} }

type podDeleter struct {
	corev1client.PodInterface
	cluster *cluster
}

func (d podDeleter) Delete(ctx context.Context, _ string, options metav1.DeleteOptions) error {
	c := d.cluster
	if c.deleting != nil {
		c.deleting()
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	c.deletes = append(c.deletes, options)
	if len(c.responses) == 0 {
		return nil
	}
	response := c.responses[0]
	c.responses = c.responses[1:]
	return response
}

// Publish implements [events.Publisher].
func (c *cluster) Publish(event events.Event) { c.events = append(c.events, event) }

// RoundTrip responds to a request for the API server's time.
func (c *cluster) RoundTrip(*http.Request) (*http.Response, error) {
	recorder := httptest.NewRecorder()
	if !c.noDate {
		recorder.Header().Set("Date", c.server.UTC().Format(http.TimeFormat))
	}
	return recorder.Result(), nil
}

func (c *cluster) newController(t *testing.T) *controller {
	t.Helper()
	serverTime := clocks.NewServerTime(clocktesting.NewFakePassiveClock(gen.Noon))
	transport := serverTime.Wrap(c)
	registry := prometheus.NewRegistry()
	both, err := clocks.New(c.local, serverTime, func(ctx context.Context) error {
		response, err := transport.RoundTrip(httptest.NewRequestWithContext(ctx, http.MethodGet, "/version", nil))
		if err != nil {
			return err
		}
		return response.Body.Close()
	}, registry)
	require.NoError(t, err)
	controller, err := newController(c, Options{
		Client: deletions.Client{Pods: c, Live: c}, Local: c.local, Clocks: both,
		Deletions: deletions.NewTracker(), Events: c, Metrics: registry,
	})
	require.NoError(t, err)
	return controller
}
