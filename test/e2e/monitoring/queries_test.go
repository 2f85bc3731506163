package monitoring

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"
)

// selector is a selection of series in an expression.
type selector struct {
	// text is the selector as PromQL.
	text string
	// metric is the name, and labels are those by which the series are matched or grouped.
	metric string
	labels []string
}

// selectors has Prometheus parse an expression, and returns its selectors.
func (s *server) selectors(expr string) []selector {
	s.Helper()
	var parsed map[string]any
	require.NoError(s, s.get(s.Context(), "parse_query", url.Values{"query": {expr}}, &parsed), expr)
	found := collect(parsed, nil)
	require.NotEmpty(s, found, expr)
	return found
}

// collect walks the syntax tree. grouping are the labels of the aggregations above a node.
func collect(node any, grouping []string) (found []selector) {
	switch n := node.(type) {
	case []any:
		for _, child := range n {
			found = append(found, collect(child, grouping)...)
		}
	case map[string]any:
		switch n["type"] {
		case "vectorSelector", "matrixSelector":
			return []selector{newSelector(n, grouping)}
		case "aggregation":
			grouping = slices.Clone(grouping)
			for _, label := range n["grouping"].([]any) {
				grouping = append(grouping, label.(string))
			}
		}
		for _, key := range slices.Sorted(maps.Keys(n)) {
			found = append(found, collect(n[key], grouping)...)
		}
	}
	return found
}

func newSelector(node map[string]any, labels []string) selector {
	found := selector{metric: node["name"].(string), labels: slices.Clone(labels)}
	var matchers []string
	for _, m := range node["matchers"].([]any) {
		matcher := m.(map[string]any)
		matchers = append(matchers, fmt.Sprintf("%s%s%q", matcher["name"], matcher["type"], matcher["value"]))
		if label := matcher["name"].(string); label != "__name__" {
			found.labels = append(found.labels, label)
		}
	}
	found.text = "{" + strings.Join(matchers, ",") + "}"
	return found
}

// requirePublished fails unless a program publishes what an expression asks for: each
// metric, with each label.
func (s *server) requirePublished(expr string) {
	s.Helper()
	for _, selector := range s.selectors(expr) {
		s.has("last_over_time(" + selector.text + "[10m])")
		var published []map[string]string
		require.NoError(s, s.get(s.Context(), "series", url.Values{"match[]": {selector.text}}, &published))
		for _, label := range selector.labels {
			require.True(s, slices.ContainsFunc(published, func(series map[string]string) bool { return series[label] != "" }),
				"%s: no series of %s has the label %s", expr, selector.metric, label)
		}
	}
}
