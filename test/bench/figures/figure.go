package figures

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
)

// Figure is one line of the results.
type Figure struct {
	// Row names the benchmark, and What what of it this is.
	Row, What string

	// Value is isolate's, in Unit, and ControlValue that of what it is compared to,
	// which Control names; both round by round.
	Value, ControlValue Sample
	Unit                Unit
	Control             string

	// Goal is what should be reached; nil where the figure is for information.
	Goal *Goal
}

// Ratio is how the figure compares to its control, round by round.
func (f Figure) Ratio() Sample { return f.Value.Over(f.ControlValue) }

// Unit writes values for people.
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

// Format is the value with its unit.
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

// short has three digits, and no fraction where there are as many before it.
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

// Of is the figure that the goal is about.
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

// String is the bound.
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

// MarshalJSON implements [json.Marshaler]: the figure with all that follows from it.
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

// finite is null where a number can't be had, which JSON has no other word for.
func finite(value float64) any {
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return nil
	}
	return value
}
