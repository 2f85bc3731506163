package watchcache

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

var errPartitioned = errors.New("etcd does not answer")

// lagging is an API server that does not answer reads while it has lost etcd.
type lagging struct{ lost bool }

func (l *lagging) read(ctx context.Context) error {
	if l.lost {
		<-ctx.Done()
		return errPartitioned
	}
	return nil
}

func beating(t *testing.T, read func(context.Context) error) *Heartbeat {
	t.Helper()
	h := NewHeartbeat(read)
	require.EqualError(t, h.Err(), "reading the most recent state from the API server: not read yet")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		h.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	require.NoError(t, h.Wait(t.Context()))
	return h
}

func TestAnAPIServerThatHasLostEtcdIsUnknownAfterMaxAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := &lagging{}
		h := beating(t, api.read)
		time.Sleep(time.Minute + time.Millisecond) //nolint:forbidigo // The time of the synctest bubble.
		api.lost = true
		lost := time.Now()
		for h.Err() == nil {
			time.Sleep(time.Millisecond) //nolint:forbidigo // The time of the synctest bubble.
		}
		require.LessOrEqual(t, time.Since(lost), MaxAge+time.Millisecond)
		require.Greater(t, time.Since(lost), MaxAge-heartbeatPeriod-time.Millisecond)
		require.Error(t, h.Ready())
		time.Sleep(time.Minute) //nolint:forbidigo // The time of the synctest bubble.
		require.EqualError(t, h.Err(), "reading the most recent state from the API server: etcd does not answer")

		api.lost = false
		ctx, cancel := context.WithTimeout(t.Context(), heartbeatTimeout+heartbeatPeriod)
		defer cancel()
		require.NoError(t, h.Wait(ctx))
	})
}

func TestOneFailedReadIsNoError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var reads int
		h := beating(t, func(ctx context.Context) error {
			if reads++; reads%2 == 0 {
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		})
		for range 10_000 {
			time.Sleep(10 * time.Millisecond) //nolint:forbidigo // The time of the synctest bubble.
			require.NoError(t, h.Err())
		}
	})
}
