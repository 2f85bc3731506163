package figures

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestQuantilesInterpolate(t *testing.T) {
	s := Sample{4, 1, 3, 2}
	require.InDelta(t, 2.5, s.Median(), 1e-9)
	require.InDelta(t, 1.75, s.Quantile(0.25), 1e-9)
	require.InDelta(t, 4, s.Quantile(1), 1e-9)
	require.Equal(t, Sample{4, 1, 3, 2}, s)
}

func TestFiguresAreComparedRoundByRound(t *testing.T) {
	f := Figure{Value: Sample{2, 30}, ControlValue: Sample{1, 10}, Control: "other", Goal: AtMost(2.5)}
	require.Equal(t, Sample{2, 3}, f.Ratio())
	require.True(t, f.Goal.Reached(f))
	f.Goal = AtLeast(2.6)
	require.False(t, f.Goal.Reached(f))
	f.Goal = ValueAtMost(16, Milliseconds)
	require.True(t, f.Goal.Reached(f))
}

func TestTableIsAligned(t *testing.T) {
	require.Equal(t, ""+
		"| what   | isolate | control     |         | ratio  | middle half of the rounds | goal     | reached |\n"+
		"| ------ | ------- | ----------- | ------- | ------ | ------------------------- | -------- | ------- |\n"+
		"| memory | 2 MiB   | an informer | 200 MiB | 0.01 × |                           | ≤ 0.15 × | yes     |\n"+
		"| calls  | 0       |             |         |        |                           | ≤ 0      | yes     |\n",
		Table([]Figure{
			{What: "memory", Value: Sample{2 << 20}, ControlValue: Sample{200 << 20}, Control: "an informer", Unit: Bytes, Goal: AtMost(0.15)},
			{What: "calls", Value: Sample{0}, Goal: ValueAtMost(0, Count)},
		}))
}

func TestEmptyTable(t *testing.T) {
	require.Contains(t, Table(nil), "| what | isolate |")
}

func TestUndefinedRatioIsNullInJSON(t *testing.T) {
	data, err := json.Marshal(Figure{What: "calls", Value: Sample{0}, Control: "other", ControlValue: Sample{0}})
	require.NoError(t, err)
	require.Contains(t, string(data), `"ratio":null`)
}

func TestOnlyTheResultsInTheDocumentAreReplaced(t *testing.T) {
	document := "# Title\n" + resultsBegin + "old\n" + resultsEnd + "the end\n"
	replaced, err := Replace(document, "new\n")
	require.NoError(t, err)
	require.Equal(t, "# Title\n"+resultsBegin+"\nnew\n\n"+resultsEnd+"the end\n", replaced)
	_, err = Replace("# Title\n", "new\n")
	require.ErrorContains(t, err, "lacks the marks")
}
