package watchcache

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
)

// apiServer answers lists and watches.
type apiServer struct {
	lists   int
	listErr error
	// watches are opened in this order, the last one again and again.
	watches []func() (watch.Interface, error)
}

func (a *apiServer) source() *cache.ListWatch {
	return &cache.ListWatch{
		ListWithContextFunc: func(context.Context, metav1.ListOptions) (runtime.Object, error) {
			if a.listErr != nil {
				return nil, a.listErr
			}
			a.lists++
			return &metav1.PartialObjectMetadataList{ListMeta: metav1.ListMeta{ResourceVersion: "1"}}, nil
		},
		WatchFuncWithContext: func(_ context.Context, options metav1.ListOptions) (watch.Interface, error) {
			if options.SendInitialEvents != nil {
				return nil, apierrors.NewInvalid(schema.GroupKind{}, "", nil)
			}
			next := a.watches[0]
			if len(a.watches) > 1 {
				a.watches = a.watches[1:]
			}
			return next()
		},
	}
}

type noStore struct{}

func (noStore) Extract(metav1.Object) struct{}           { return struct{}{} }
func (noStore) Set(string, string, struct{})             {}
func (noStore) Delete(string, string)                    {}
func (noStore) Retain(func(namespace, name string) bool) {}

func opens(w watch.Interface) func() (watch.Interface, error) {
	return func() (watch.Interface, error) { return w, nil }
}

func fails(err error) func() (watch.Interface, error) {
	return func() (watch.Interface, error) { return nil, err }
}

// expired opens a watch whose first event says that it can't be resumed.
func expired() (watch.Interface, error) {
	w := watch.NewFakeWithChanSize(1, false)
	w.Error(&apierrors.NewResourceExpired("too old resource version").ErrStatus)
	return w, nil
}

// open runs a cache of the API server in a synctest bubble, and waits until it is known.
func open(t *testing.T, a *apiServer) *Cache {
	t.Helper()
	c := New("services", a.source(), &metav1.PartialObjectMetadata{}, noStore{})
	require.EqualError(t, c.Err(), "reading services: not read yet")
	require.Error(t, c.Ready())
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		c.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	require.NoError(t, c.Wait(t.Context()))
	return c
}

func TestAnEndedWatchIsUnknownUntilTheNextIsConfirmed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := watch.NewFake()
		a := &apiServer{watches: []func() (watch.Interface, error){opens(first), opens(watch.NewFake())}}
		c := open(t, a)
		time.Sleep(time.Minute) //nolint:forbidigo // The time of the synctest bubble.
		first.Stop()
		synctest.Wait()
		require.EqualError(t, c.Err(), "reading services: the watch has ended and is being resumed")
		require.NoError(t, c.Ready(), "every watch ends regularly")
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), Tolerance)
		defer cancel()
		require.NoError(t, c.Wait(ctx))
		require.LessOrEqual(t, time.Since(start), confirmPeriod)
		require.Equal(t, 1, a.lists, "it was resumed without a list")
	})
}

func TestAnExpiredWatchIsUnknownUntilTheNextList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := watch.NewFake()
		a := &apiServer{watches: []func() (watch.Interface, error){opens(first), expired, opens(watch.NewFake())}}
		c := open(t, a)
		time.Sleep(time.Minute) //nolint:forbidigo // The time of the synctest bubble.
		a.listErr = apierrors.NewForbidden(schema.GroupResource{Resource: "services"}, "", nil)
		first.Stop()
		time.Sleep(10 * time.Second) //nolint:forbidigo // The time of the synctest bubble.
		require.Error(t, c.Err())
		require.Error(t, c.Ready())
		a.listErr = nil
		start := time.Now()
		require.NoError(t, c.Wait(t.Context()))
		require.Equal(t, 2, a.lists)
		require.LessOrEqual(t, time.Since(start), 4*time.Second, "the backoff is capped")
	})
}

func TestAWatchThatEndsAtOnceIsNotConfirmed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := watch.NewFake()
		a := &apiServer{watches: []func() (watch.Interface, error){opens(first), opens(watch.NewEmptyWatch())}}
		c := open(t, a)
		time.Sleep(time.Minute) //nolint:forbidigo // The time of the synctest bubble.
		first.Stop()
		for range 100 {
			time.Sleep(confirmPeriod / 2) //nolint:forbidigo // The time of the synctest bubble.
			require.Error(t, c.Err())
		}
		require.Error(t, c.Ready())
	})
}

func TestALongInterruptionLeadsToANewList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := watch.NewFake()
		refused := apierrors.NewTooManyRequests("overloaded", 1)
		a := &apiServer{watches: []func() (watch.Interface, error){opens(first), fails(refused)}}
		c := open(t, a)
		time.Sleep(time.Minute) //nolint:forbidigo // The time of the synctest bubble.
		first.Stop()
		time.Sleep(maxInterruption + 10*time.Second) //nolint:forbidigo // The time of the synctest bubble.
		require.ErrorContains(t, c.Err(), "overloaded")
		a.watches = []func() (watch.Interface, error){opens(watch.NewFake())}
		require.NoError(t, c.Wait(t.Context()))
		require.Greater(t, a.lists, 1)
	})
}

func TestAForbiddenWatchIsUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := watch.NewFake()
		forbidden := apierrors.NewForbidden(schema.GroupResource{Resource: "services"}, "", nil)
		a := &apiServer{watches: []func() (watch.Interface, error){opens(first), fails(forbidden)}}
		c := open(t, a)
		first.Stop()
		time.Sleep(Tolerance) //nolint:forbidigo // The time of the synctest bubble.
		require.ErrorContains(t, c.Err(), "reading services: services is forbidden")
		require.Error(t, c.Ready())
	})
}
