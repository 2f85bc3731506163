package command

import (
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
