package logs

import (
	"context"
	"testing"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

// Messages returns a context whose logger appends its messages to lines.
func Messages(t *testing.T) (ctx context.Context, lines *[]string) {
	t.Helper()
	lines = new([]string)
	sink := funcr.NewJSON(func(string) {}, funcr.Options{RenderBuiltinsHook: func(pairs []any) []any {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == "msg" {
				*lines = append(*lines, pairs[i+1].(string))
			}
		}
		return pairs
	}})
	return log.IntoContext(t.Context(), logr.New(sink.GetSink())), lines
}
