package webhook

import (
	"context"
	"errors"
	"io"
	"time"

	"golang.org/x/sync/semaphore"
)

const (
	// maxReviewSize has room for two objects of the largest size that etcd stores, in
	// JSON, and the rest of the review.
	maxReviewSize = 7 << 20

	// firstBuffer is the size for a typical review. Each connection may have such a buffer,
	// and the number of connections is bounded. smallReview is the size for almost every
	// review.
	firstBuffer = 16 << 10
	smallReview = 64 << 10

	// smallMemory is for the buffers of small reviews beyond the first, and largeMemory
	// for those of large ones. They are separate, so that large reviews never delay small
	// ones. The largest review takes 22 MiB while its last bytes arrive.
	smallMemory = 24 << 20
	largeMemory = 24 << 20

	// decodeFactor is the memory of a review per byte: its body, and the strings that
	// are decoded from it.
	decodeFactor = 2

	// memoryWait is how long a review waits for memory. The API server gives the webhook
	// five seconds, and retries what is answered with Retry-After.
	memoryWait = time.Second
)

var (
	errTooLarge = errors.New("reading the review: it is larger than 7 MiB")
	errNoMemory = errors.New("reading the review: too many reviews are being read, retry")
)

// bodies reads reviews within a budget of memory for all connections together. A
// buffer grows with what has been received, whatever length the request announces.
type bodies struct{ small, large *semaphore.Weighted }

func newBodies() *bodies {
	return &bodies{semaphore.NewWeighted(smallMemory), semaphore.NewWeighted(largeMemory)}
}

// body is a review in memory. [body.release] must be called.
type body struct {
	data []byte
	from *bodies

	// weight bytes of budget are reserved for the buffer; budget is nil if there are none.
	budget *semaphore.Weighted
	weight int64
}

// read reads a review of an announced length, -1 if unknown. It returns
// [errNoMemory] if there is no memory for it in time, and [errTooLarge].
func (b *bodies) read(ctx context.Context, from io.Reader, announced int64) (*body, error) {
	if announced > maxReviewSize {
		return nil, errTooLarge
	}
	ctx, cancel := context.WithTimeout(ctx, memoryWait)
	defer cancel()
	read := &body{data: make([]byte, 0, firstBuffer), from: b}
	if err := read.fill(ctx, from, announced); err != nil {
		read.release()
		return nil, err
	}
	return read, nil
}

func (b *body) fill(ctx context.Context, from io.Reader, announced int64) error {
	for {
		if len(b.data) == cap(b.data) {
			if err := b.grow(ctx, announced); err != nil {
				return err
			}
		}
		n, err := from.Read(b.data[len(b.data):cap(b.data)])
		b.data = b.data[:len(b.data)+n]
		switch {
		case len(b.data) > maxReviewSize:
			return errTooLarge
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

// grow doubles the buffer, but not beyond the announced length.
func (b *body) grow(ctx context.Context, announced int64) error {
	size := int64(2 * cap(b.data))
	if limit := maxReviewSize + int64(1); announced < 0 || announced >= int64(cap(b.data)) {
		if announced >= 0 {
			limit = announced + 1
		}
		size = min(size, limit)
	}
	budget, weight := b.from.small, decodeFactor*size
	if size > smallReview {
		budget = b.from.large
	}
	if err := budget.Acquire(ctx, weight); err != nil {
		return errNoMemory
	}
	data := make([]byte, len(b.data), size)
	copy(data, b.data)
	b.release()
	b.data, b.budget, b.weight = data, budget, weight
	return nil
}

func (b *body) release() {
	b.data = nil
	if b.budget != nil {
		b.budget.Release(b.weight)
		b.budget = nil
	}
}
