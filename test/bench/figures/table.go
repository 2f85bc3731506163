package figures

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

// Table returns the figures as an aligned Markdown table.
func Table(list []Figure) string {
	rows := [][]string{{"what", "isolate", "control", "", "ratio", "middle half of the rounds", "goal", "reached"}}
	for _, f := range list {
		rows = append(rows, cells(f))
	}
	widths := slices.Repeat([]int{len("---")}, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var out strings.Builder
	for n, row := range rows {
		writeRow(&out, row, widths)
		if n == 0 {
			rule := make([]string, len(widths))
			for i, width := range widths {
				rule[i] = strings.Repeat("-", width)
			}
			writeRow(&out, rule, widths)
		}
	}
	return out.String()
}

func cells(f Figure) []string {
	row := []string{f.What, f.Unit.Format(f.Value.Median()), f.Control, "", "", "", "", ""}
	spread, unit := f.Value, f.Unit.Format
	if f.Control != "" {
		row[3] = f.Unit.Format(f.ControlValue.Median())
		spread, unit = f.Ratio(), times
		row[4] = times(spread.Median())
	}
	if len(spread) > 1 {
		row[5] = fmt.Sprintf("%s to %s (%d)", unit(spread.Quantile(0.25)), unit(spread.Quantile(0.75)), len(spread))
	}
	if f.Goal != nil {
		row[6], row[7] = f.Goal.String(), "no"
		if f.Goal.Reached(f) {
			row[7] = "yes"
		}
	}
	return row
}

func times(ratio float64) string {
	switch {
	case math.IsNaN(ratio) || math.IsInf(ratio, 0):
		return "–"
	case ratio >= 0.1 && ratio < 10:
		return fmt.Sprintf("%.2f ×", ratio)
	}
	return short(ratio) + " ×"
}

func writeRow(out *strings.Builder, row []string, widths []int) {
	for i, cell := range row {
		out.WriteString("| " + cell + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)) + " ")
	}
	out.WriteString("|\n")
}

// The markers around the results in a document.
const (
	resultsBegin = "<!-- results of make bench: replaced by it -->\n"
	resultsEnd   = "<!-- end of the results -->\n"
)

// Replace replaces the results between the document's markers.
func Replace(document, results string) (string, error) {
	before, rest, found := strings.Cut(document, resultsBegin)
	_, after, ended := strings.Cut(rest, resultsEnd)
	if !found || !ended {
		return "", fmt.Errorf("the document lacks the marks %q and %q", resultsBegin, resultsEnd)
	}
	return before + resultsBegin + "\n" + results + "\n" + resultsEnd + after, nil
}
