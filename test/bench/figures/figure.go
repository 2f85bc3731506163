package figures

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
)

// Figure is one line of the results.
type Figure struct {
	// Row is the benchmark, and What the quantity.
	Row, What string

	// Value is isolate's and ControlValue the one of Control, both in Unit, round by round.
	Value, ControlValue Sample
	Unit                Unit
	Control             string

	// Goal is the bound to reach, nil if the figure is only informative.
	Goal *Goal
}

// Ratio is the figure divided by its control, round by round.
func (f Figure) Ratio() Sample { return f.Value.Over(f.ControlValue) }

// Unit formats values.
type Unit string

// The units.
const (
	Milliseconds Unit = "ms"
	Microseconds Unit = "µs"
	Nanoseconds  Unit = "ns"
	Bytes        Unit = "bytes"
	Count        Unit = ""
	PerSecond    Unit = "/s"
)

// Format returns the value with its unit.
func (u Unit) Format(value float64) string {
	switch {
	case math.IsNaN(value):
		return "–"
	case u == Bytes && value >= 1<<20:
		return short(value/(1<<20)) + " MiB"
	case u == Bytes && value >= 1<<10:
		return short(value/(1<<10)) + " KiB"
	case u == Count, u == PerSecond:
		return short(value) + string(u)
	}
	return short(value) + " " + string(u)
}

// short formats a number with three significant digits.
func short(value float64) string {
	switch size := math.Abs(value); {
	case size >= 100 || value == math.Trunc(value):
		return strconv.FormatFloat(value, 'f', 0, 64)
	case size >= 10:
		return strconv.FormatFloat(value, 'f', 1, 64)
	case size >= 0.1:
		return strconv.FormatFloat(value, 'f', 2, 64)
	}
	return strconv.FormatFloat(value, 'g', 2, 64)
}

// Goal is a bound.
type Goal struct {
	limit   float64
	atLeast bool
	value   bool // a bound of the value, not of the ratio
	unit    Unit
}

// AtMost is a goal for the ratio.
func AtMost(ratio float64) *Goal { return &Goal{limit: ratio} }

// AtLeast is a goal for the ratio.
func AtLeast(ratio float64) *Goal { return &Goal{limit: ratio, atLeast: true} }

// ValueAtMost is a goal for the value, whatever the control has.
func ValueAtMost(limit float64, unit Unit) *Goal { return &Goal{limit: limit, value: true, unit: unit} }

// Of returns the value that the goal bounds.
func (g *Goal) Of(f Figure) float64 {
	if g.value {
		return f.Value.Median()
	}
	return f.Ratio().Median()
}

// Reached reports whether the figure is within the bound.
func (g *Goal) Reached(f Figure) bool {
	if g.atLeast {
		return g.Of(f) >= g.limit
	}
	return g.Of(f) <= g.limit
}

// String returns the bound.
func (g *Goal) String() string {
	sign := "≤"
	if g.atLeast {
		sign = "≥"
	}
	if g.value {
		return sign + " " + g.unit.Format(g.limit)
	}
	return fmt.Sprintf("%s %s ×", sign, short(g.limit))
}

// MarshalJSON implements [json.Marshaler] and includes the derived values.
func (f Figure) MarshalJSON() ([]byte, error) {
	out := map[string]any{
		"row": f.Row, "what": f.What, "unit": f.Unit, "rounds": f.Value, "median": f.Value.Median(),
	}
	if f.Control != "" {
		ratio := f.Ratio()
		out["control"], out["controlRounds"], out["controlMedian"] = f.Control, f.ControlValue, f.ControlValue.Median()
		out["ratio"], out["ratioQuartiles"] = finite(ratio.Median()), []any{finite(ratio.Quantile(0.25)), finite(ratio.Quantile(0.75))}
	}
	if f.Goal != nil {
		out["goal"], out["reached"] = f.Goal.String(), f.Goal.Reached(f)
	}
	return json.Marshal(out)
}

// finite returns nil for NaN and infinity, which JSON can't represent.
func finite(value float64) any {
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return nil
	}
	return value
}
