package command

import (
	"context"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestMemoryLimitIsNineTenthsOfTheContainers(t *testing.T) {
	limit, ok := memoryLimit("268435456\n")
	require.True(t, ok)
	require.EqualValues(t, 241591905, limit)
	for _, none := range []string{"max\n", "", "0", "-1"} {
		_, ok = memoryLimit(none)
		require.False(t, ok, none)
	}
}

func TestSmallHeapsMayHaveMoreGarbage(t *testing.T) {
	for live, percent := range map[uint64]int{0: 600, 1 << 20: 600, 4 << 20: 600, 12 << 20: 200, 48 << 20: 50, 4 << 30: 50} {
		require.Equal(t, percent, percentFor(live), live)
	}
}

func TestTheGarbageCollectorSavesMemoryUnlessAnOperatorSaysOtherwise(t *testing.T) {
	const other = 80
	ctx, cancel := context.WithCancel(t.Context())
	percent, limit := debug.SetGCPercent(other), debug.SetMemoryLimit(-1)
	t.Cleanup(func() {
		cancel()
		debug.SetGCPercent(percent)
		debug.SetMemoryLimit(limit)
	})
	t.Setenv("GOGC", "80")
	setMemory(ctx)
	require.Equal(t, other, currentPercent())
	t.Setenv("GOGC", "")
	setMemory(ctx)
	require.Greater(t, currentPercent(), other)

	large := make([]byte, 2*minGarbage)
	collectUntil(t, func() bool { return currentPercent() == gcPercent })
	runtime.KeepAlive(large)
	collectUntil(t, func() bool { return currentPercent() > gcPercent })
}

// collectUntil collects garbage until a condition is met. What follows a collection runs in another
// goroutine.
func collectUntil(t *testing.T, condition func() bool) {
	t.Helper()
	require.Eventually(t, func() bool {
		runtime.GC()
		return condition()
	}, time.Minute, time.Millisecond)
}

func currentPercent() int {
	percent := []metrics.Sample{{Name: "/gc/gogc:percent"}}
	metrics.Read(percent)
	return int(percent[0].Value.Uint64())
}
