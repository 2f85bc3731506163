package webhook

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTheBufferGrowsWithTheReceivedBytes(t *testing.T) {
	for name, test := range map[string]struct {
		arrived, announced int
		most               int
	}{
		"a byte of seven megabytes": {1, 7_000_000, firstBuffer},
		"a typical review":          {15_000, 15_000, firstBuffer},
		"40 KB":                     {40_000, 40_000, 40_001},
		"40 KB of seven megabytes":  {40_000, 7_000_000, smallReview},
		"of unknown length":         {40_000, -1, smallReview},
		"the largest review":        {maxReviewSize, maxReviewSize, maxReviewSize + 1},
	} {
		t.Run(name, func(t *testing.T) {
			sent := bytes.Repeat([]byte("x"), test.arrived)
			b := newBodies()
			read, err := b.read(t.Context(), iotest.HalfReader(bytes.NewReader(sent)), int64(test.announced))
			require.NoError(t, err)
			require.Equal(t, sent, read.data)
			require.LessOrEqual(t, cap(read.data), test.most)
			read.release()
			require.True(t, b.small.TryAcquire(smallMemory), "everything is released")
			require.True(t, b.large.TryAcquire(largeMemory), "everything is released")
		})
	}
}

func TestLargeReviewsWaitForMemoryAndSmallOnesDoNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		handler := newHandler(t)
		require.True(t, handler.bodies.large.TryAcquire(largeMemory))
		start := time.Now()
		recorder := post(t.Context(), handler, bytes.Repeat([]byte(" "), 2*smallReview))
		require.Equal(t, http.StatusServiceUnavailable, recorder.Code)
		require.Equal(t, "1", recorder.Header().Get("Retry-After"))
		require.Equal(t, "reading the review: too many reviews are being read, retry\n", recorder.Body.String())
		require.Equal(t, memoryWait, time.Since(start))
		require.True(t, ask(t.Context(), t, handler, update(trigger)).Allowed)
	})
}

func TestAFailedReadReleasesItsMemory(t *testing.T) {
	b := newBodies()
	failed := errors.New("cut off")
	_, err := b.read(t.Context(), io.MultiReader(strings.NewReader(strings.Repeat("x", 2*smallReview)), iotest.ErrReader(failed)), -1)
	require.ErrorIs(t, err, failed)
	require.True(t, b.large.TryAcquire(largeMemory))
	require.True(t, b.small.TryAcquire(smallMemory))
}
