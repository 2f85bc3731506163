package watchcache

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	"k8s.io/utils/clock"
)

const (
	// maxInterruption is the longest interruption after which a watch is resumed. Beyond
	// it, everything is read again.
	maxInterruption = 2 * time.Second

	// Tolerance is how long a resource may be unknown before [Cache.Ready] reports it,
	// and how long a reader should wait for it. The reflector asks the API server to end each
	// watch after 5 to 10 minutes.
	Tolerance = time.Second
)

// backoff replaces the reflector's own, which grows to a minute.
var backoff = wait.Backoff{Duration: 100 * time.Millisecond, Factor: 2, Jitter: 0.5, Steps: 10, Cap: 2 * time.Second}

// Cache fills a store from a list and a watch. [Cache.Run] runs it.
type Cache struct {
	*cache.ListWatch
	resource string
	object   runtime.Object
	store    anyStore
	clock    clock.Clock

	mu sync.Mutex
	// err is why the store may lack objects: they were never read, or the watch can't be
	// resumed. Only a complete list clears it.
	err error
	// watchErr is why no changes arrive.
	watchErr error
	// current is the watch, nil if there is none.
	current *stream
	// endedAt is when the last watch ended, zero once the next one is confirmed.
	// unknownSince is when the resource became unknown, zero if it is known.
	endedAt, unknownSince time.Time
	// changed is closed and replaced at each change of the errors.
	changed chan struct{}
}

// New returns a cache of a resource with objects of this type. Its errors name the
// resource.
func New[E any](resource string, source *cache.ListWatch, object runtime.Object, store Store[E]) *Cache {
	return &Cache{ListWatch: source, resource: resource, object: object, store: typedStore[E]{store}, clock: clock.RealClock{},
		err: errors.New("not read yet"), changed: make(chan struct{})}
}

// Run mirrors the resource until the context ends.
func (c *Cache) Run(ctx context.Context) {
	cache.NewReflectorWithOptions(c, c.object, c, cache.ReflectorOptions{
		Name: "watchcache/" + c.resource, Backoff: new(backoff),
	}).RunWithContext(ctx)
}

// Resource returns the name of the resource.
func (c *Cache) Resource() string { return c.resource }

// Err returns why the store may be stale, in one line for people, or nil.
func (c *Cache) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.wrapped()
}

func (c *Cache) wrapped() error {
	if err := cmp.Or(c.err, c.watchErr); err != nil {
		return fmt.Errorf("reading %s: %w", c.resource, err)
	}
	return nil
}

// Ready returns Err, except for a short time after the watch has ended.
func (c *Cache) Ready() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.unknownSince.IsZero() && c.clock.Since(c.unknownSince) < Tolerance {
		return nil
	}
	return c.wrapped()
}

// Wait waits until the resource is known, or the context ends. It returns Err.
func (c *Cache) Wait(ctx context.Context) error {
	for {
		c.mu.Lock()
		err, changed := c.wrapped(), c.changed
		c.mu.Unlock()
		if err == nil {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return err
		}
	}
}

// set changes the errors. The lock must be held.
func (c *Cache) set(err, watchErr error) {
	known := c.err == nil && c.watchErr == nil
	c.err, c.watchErr = err, watchErr
	switch {
	case err == nil && watchErr == nil:
		c.unknownSince = time.Time{}
	case known:
		c.unknownSince = c.clock.Now()
	}
	close(c.changed)
	c.changed = make(chan struct{})
}

// ListWithContext implements [cache.ListerWithContext]. It returns the extracts of all objects
// in their current state, whatever the options. The reflector asks for a state at least as new
// as its own, and one of several API servers may lag behind the others for long.
func (c *Cache) ListWithContext(ctx context.Context, _ metav1.ListOptions) (runtime.Object, error) {
	list, err := c.list(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.set(err, c.watchErr)
	} else {
		c.set(c.err, errWatchEnded) // Until the watch that follows the list is confirmed.
	}
	return list, err
}

// WatchWithContext implements [cache.WatcherWithContext]. A watch that begins with the
// existing objects replaces a list: it is confirmed when Replace is called.
func (c *Cache) WatchWithContext(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
	resumed := options.SendInitialEvents == nil
	c.mu.Lock()
	interrupted := !c.endedAt.IsZero() && c.clock.Since(c.endedAt) > maxInterruption
	c.mu.Unlock()
	if resumed && interrupted {
		return nil, apierrors.NewResourceExpired("the watch was interrupted for too long to be resumed")
	}
	if !resumed {
		options.ResourceVersion = "" // The current state, as in a list.
	}
	inner, err := c.ListWatch.WatchWithContext(ctx, options)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		if resumed {
			c.set(c.err, err)
		} else {
			c.set(err, c.watchErr)
		}
		return nil, err
	}
	s := &stream{Interface: inner, cache: c, events: make(chan watch.Event), done: make(chan struct{})}
	c.current = s
	var confirm <-chan time.Time
	if resumed {
		confirm = c.clock.After(confirmPeriod)
	}
	go s.run(confirm)
	return s, nil
}

// confirmed records that a watch was resumed without a gap.
func (c *Cache) confirmed(s *stream) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current == s {
		c.endedAt = time.Time{}
		c.set(c.err, nil)
	}
}

// ended records that a watch has ended.
func (c *Cache) ended(s *stream, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current != s {
		return
	}
	c.current = nil
	if c.endedAt.IsZero() {
		c.endedAt = c.clock.Now()
	}
	c.set(c.err, err)
}

// failed records an error of a watch. If the watch can't be resumed, the resource is unknown
// until all of it has been read again.
func (c *Cache) failed(s *stream, err error) {
	c.mu.Lock()
	if c.current == s && (apierrors.IsResourceExpired(err) || apierrors.IsGone(err)) {
		c.set(err, c.watchErr)
	}
	c.mu.Unlock()
	c.ended(s, err)
}
