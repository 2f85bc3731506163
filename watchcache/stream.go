package watchcache

import (
	"errors"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/watch"
)

// confirmPeriod is how long a resumed watch must be open without an error to count as
// resumed: an API server that can't resume it says so at once.
const confirmPeriod = 100 * time.Millisecond

var errWatchEnded = errors.New("the watch has ended and is being resumed")

// stream forwards the events of a watch, and reports to the cache when the watch is
// confirmed, fails or ends.
type stream struct {
	watch.Interface
	cache  *Cache
	events chan watch.Event
	stop   sync.Once
	done   chan struct{}
}

// ResultChan implements [watch.Interface].
func (s *stream) ResultChan() <-chan watch.Event { return s.events }

// Stop implements [watch.Interface].
func (s *stream) Stop() {
	s.stop.Do(func() { close(s.done) })
	s.Interface.Stop()
}

func (s *stream) run(confirm <-chan time.Time) {
	defer close(s.events)
	defer s.cache.ended(s, errWatchEnded)
	for {
		select {
		case <-confirm:
			s.cache.confirmed(s)
		case <-s.done:
			return
		case event, ok := <-s.Interface.ResultChan():
			if !ok {
				s.cache.ended(s, errWatchEnded)
				return
			}
			if event.Type == watch.Error {
				s.cache.failed(s, apierrors.FromObject(event.Object))
			}
			select {
			case s.events <- event:
			case <-s.done:
				return
			}
		}
	}
}
