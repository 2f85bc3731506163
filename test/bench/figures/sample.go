package figures

import (
	"math"
	"slices"
)

// Sample is one quantity, measured in several rounds.
type Sample []float64

// Quantile returns the q-quantile, interpolated between two values. It is NaN for an
// empty sample.
func (s Sample) Quantile(q float64) float64 {
	if len(s) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(s))
	place := q * float64(len(sorted)-1)
	below := int(place)
	if below == len(sorted)-1 {
		return sorted[below]
	}
	return sorted[below] + (place-float64(below))*(sorted[below+1]-sorted[below])
}

// Median returns the 0.5-quantile.
func (s Sample) Median() float64 { return s.Quantile(0.5) }

// Over returns the ratio to another sample of the same run, round by round if both have
// the same number of rounds, and otherwise to its median.
func (s Sample) Over(control Sample) Sample {
	ratios := make(Sample, len(s))
	for i := range s {
		of := control.Median()
		if len(control) == len(s) {
			of = control[i]
		}
		ratios[i] = s[i] / of
	}
	return ratios
}

// Minus returns the difference to another sample, which must have as many rounds.
func (s Sample) Minus(other Sample) Sample {
	differences := make(Sample, len(s))
	for i := range s {
		differences[i] = s[i] - other[i]
	}
	return differences
}
