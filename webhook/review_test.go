package webhook

import (
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"
	kjson "sigs.k8s.io/json"

	"isolate.example.io/quarantine"
	"isolate.example.io/test/gen/workload"
)

// FuzzReview decodes arbitrary reviews. isolate accepts none that the API server's own
// decoder refuses, and reads the same from one.
func FuzzReview(f *testing.F) {
	typical, err := workload.App{Namespace: "shop", Number: 1}.Review(map[string]string{quarantine.TriggerKey: quarantine.True})
	require.NoError(f, err)
	f.Add(string(typical))
	f.Add(`{"request":{"uid":"x","dryRun":true,"operation":"UPDATE","object":` + stored + `,"oldObject":` + stored + `}}`)
	f.Add(`{"request":{"object":{"metadata":{"deletionTimestamp":"2026-01-02T03:04:05Z","managedFields":[null]}},"oldObject":{"spec":{"hostNetwork":1}}}}`)
	f.Add(`{"request":{"oldObject":{"status":{"conditions":[{"type":"Ready","lastTransitionTime":null}]},"spec":{"activeDeadlineSeconds":1e1}}}} {}`)
	f.Add(`{"Request":{"object":null},"request":{"object":{"metadata":{"labels":{"` + "\xff" + `":"\ud800"},"labels":null}}}}`)
	f.Fuzz(func(t *testing.T, body string) {
		var ours, theirs review
		errOurs := json.Unmarshal([]byte(body), &ours, likeAPIServer)
		errTheirs := kjson.UnmarshalCaseSensitivePreserveInts([]byte(body), &theirs)
		if errOurs != nil {
			return
		}
		require.NoError(t, errTheirs)
		if jsontext.Value(body).IsValid() { // It has no duplicate names, which are merged differently.
			require.Equal(t, theirs, ours)
		}
	})
}
