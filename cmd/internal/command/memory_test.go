package command

import (
	"runtime/debug"
	"testing"

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

func TestTheGarbageCollectorSavesMemoryUnlessAnOperatorSaysOtherwise(t *testing.T) {
	const other = 80
	percent, limit := debug.SetGCPercent(other), debug.SetMemoryLimit(-1)
	t.Cleanup(func() {
		debug.SetGCPercent(percent)
		debug.SetMemoryLimit(limit)
	})
	t.Setenv("GOGC", "80")
	setMemory()
	require.Equal(t, other, debug.SetGCPercent(other))
	t.Setenv("GOGC", "")
	setMemory()
	require.Equal(t, gcPercent, debug.SetGCPercent(other))
}
