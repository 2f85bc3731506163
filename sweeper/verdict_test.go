package sweeper

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"isolate.example.io/quarantine"
)

func TestJudge(t *testing.T) {
	for _, test := range []struct {
		rule string
		pod  *metav1.PartialObjectMetadata
		at   time.Duration // after noon, when the pod expires
		want Verdict
	}{
		{"waits as long as there is time left", quarantined(), -time.Hour, VerdictWaiting},
		{"waits to the last nanosecond", quarantined(), -1, VerdictWaiting},
		{"expires on the second", quarantined(), 0, VerdictExpired},
		{"stays expired", quarantined(), 1000 * time.Hour, VerdictExpired},
		{"understands another zone", quarantined(annotated(quarantine.ExpiresAtKey, "2026-03-01T14:00:00+01:00")), 0, VerdictWaiting},
		{"expires on the fraction of a second", quarantined(annotated(quarantine.ExpiresAtKey, "2026-03-01T12:00:00.5Z")), 0, VerdictWaiting},

		{"keeps what is held", quarantined(annotated(quarantine.HoldKey, "true")), time.Hour, VerdictHeld},
		{"a hold that is false holds nothing", quarantined(annotated(quarantine.HoldKey, "false")), 0, VerdictExpired},
		{"a hold that is withdrawn early waits", quarantined(annotated(quarantine.HoldKey, "false")), -1, VerdictWaiting},

		{"leaves alone what is terminating", quarantined(terminating), time.Hour, VerdictTerminating},
		{"leaves alone what is terminating and damaged", quarantined(terminating, without(quarantine.RecordKey)), 0, VerdictTerminating},

		{"a released pod is free", quarantined(func(pod *metav1.PartialObjectMetadata) { pod.Labels, pod.Annotations = nil, nil }), 0, VerdictFree},
		{"no label", quarantined(without(quarantine.QuarantinedLabel)), time.Hour, VerdictDamaged},
		{"no expiry", quarantined(without(quarantine.ExpiresAtKey)), time.Hour, VerdictDamaged},
		{"no beginning", quarantined(without(quarantine.QuarantinedAtKey)), time.Hour, VerdictDamaged},
		{"no user", quarantined(without(quarantine.QuarantinedByKey)), time.Hour, VerdictDamaged},
		{"no record", quarantined(without(quarantine.RecordKey)), time.Hour, VerdictDamaged},
		{"an expiry that is no time", quarantined(annotated(quarantine.ExpiresAtKey, "yesterday")), time.Hour, VerdictDamaged},
		{"an expiry that is empty", quarantined(annotated(quarantine.ExpiresAtKey, "")), time.Hour, VerdictDamaged},
		{"an expiry of seconds since 1970", quarantined(annotated(quarantine.ExpiresAtKey, "1772366400")), time.Hour, VerdictDamaged},
		{"a record that is null", quarantined(annotated(quarantine.RecordKey, "null")), time.Hour, VerdictDamaged},
		{"a record that is a list", quarantined(annotated(quarantine.RecordKey, "[]")), time.Hour, VerdictDamaged},
		{"a record that is no JSON", quarantined(annotated(quarantine.RecordKey, "{")), time.Hour, VerdictDamaged},
		{"an expiry before the beginning", quarantined(annotated(quarantine.ExpiresAtKey, "0001-01-01T00:00:00Z")), time.Hour, VerdictDamaged},
		{"a hold does not mend a record", quarantined(annotated(quarantine.HoldKey, "true"), without(quarantine.RecordKey)), 0, VerdictDamaged},
	} {
		t.Run(test.rule, func(t *testing.T) {
			got, status := judge(test.pod, noon.Add(test.at))
			require.Equal(t, test.want, got)
			if test.want == VerdictDamaged {
				require.Error(t, status.Problem)
			}
		})
	}
}

func TestStampsInTheWrongOrderAreNamed(t *testing.T) {
	_, status := judge(quarantined(annotated(quarantine.ExpiresAtKey, "2026-03-01T10:59:59Z")), noon)
	require.EqualError(t, status.Problem,
		"annotation isolate.example.io/expires-at is before isolate.example.io/quarantined-at")
}
