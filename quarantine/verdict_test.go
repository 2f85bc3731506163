package quarantine

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// expiresAt is when the pods of these tests expire.
var expiresAt = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// metadataOption changes a pod's metadata.
type metadataOption func(*metav1.ObjectMeta)

// expiring returns the metadata of a pod with a complete record, changed.
func expiring(options ...metadataOption) *metav1.ObjectMeta {
	pod := &metav1.ObjectMeta{
		Labels: map[string]string{QuarantinedLabel: QuarantinedValue},
		Annotations: map[string]string{
			TriggerKey:       True,
			QuarantinedAtKey: stamp(expiresAt.Add(-time.Hour)),
			ExpiresAtKey:     stamp(expiresAt),
			QuarantinedByKey: "jane",
			RecordKey:        "{}",
		},
	}
	for _, option := range options {
		option(pod)
	}
	return pod
}

func setKey(key, value string) metadataOption {
	return func(pod *metav1.ObjectMeta) { pod.Annotations[key] = value }
}

func dropKey(key string) metadataOption {
	return func(pod *metav1.ObjectMeta) {
		delete(pod.Labels, key)
		delete(pod.Annotations, key)
	}
}

func isTerminating(pod *metav1.ObjectMeta) { pod.DeletionTimestamp = &metav1.Time{Time: expiresAt} }

func hasNoRecord(pod *metav1.ObjectMeta) { pod.Labels, pod.Annotations = nil, nil }

func TestVerdictOf(t *testing.T) {
	for _, test := range []struct {
		rule string
		pod  *metav1.ObjectMeta
		at   time.Duration // after the expiry
		want Verdict
	}{
		{"a pod waits until it expires", expiring(), -time.Hour, VerdictWaiting},
		{"to the last nanosecond", expiring(), -1, VerdictWaiting},
		{"a pod expires on the second", expiring(), 0, VerdictExpired},
		{"an expired pod stays expired", expiring(), 1000 * time.Hour, VerdictExpired},
		{"a stamp may be in another time zone", expiring(setKey(ExpiresAtKey, "2026-03-01T14:00:00+01:00")), 0, VerdictWaiting},
		{"a stamp may have a fraction of a second", expiring(setKey(ExpiresAtKey, "2026-03-01T12:00:00.5Z")), 0, VerdictWaiting},

		{"a hold keeps an expired pod", expiring(setKey(HoldKey, "true")), time.Hour, VerdictHeld},
		{"a hold that is false does not keep an expired pod", expiring(setKey(HoldKey, "false")), 0, VerdictExpired},
		{"without a hold, a pod waits until it expires", expiring(setKey(HoldKey, "false")), -1, VerdictWaiting},

		{"a terminating pod is left alone", expiring(isTerminating), time.Hour, VerdictTerminating},
		{"a terminating pod with a damaged record is left alone", expiring(isTerminating, dropKey(RecordKey)), 0, VerdictTerminating},

		{"a released pod is free", expiring(hasNoRecord), 0, VerdictFree},
		{"a record without the label is damaged", expiring(dropKey(QuarantinedLabel)), time.Hour, VerdictDamaged},
		{"without expires-at", expiring(dropKey(ExpiresAtKey)), time.Hour, VerdictDamaged},
		{"without quarantined-at", expiring(dropKey(QuarantinedAtKey)), time.Hour, VerdictDamaged},
		{"without quarantined-by", expiring(dropKey(QuarantinedByKey)), time.Hour, VerdictDamaged},
		{"without a record", expiring(dropKey(RecordKey)), time.Hour, VerdictDamaged},
		{"with an expires-at that is not a time", expiring(setKey(ExpiresAtKey, "yesterday")), time.Hour, VerdictDamaged},
		{"with an empty expires-at", expiring(setKey(ExpiresAtKey, "")), time.Hour, VerdictDamaged},
		{"with an expires-at in seconds since 1970", expiring(setKey(ExpiresAtKey, "1772366400")), time.Hour, VerdictDamaged},
		{"with a record that is null", expiring(setKey(RecordKey, "null")), time.Hour, VerdictDamaged},
		{"with a record that is a list", expiring(setKey(RecordKey, "[]")), time.Hour, VerdictDamaged},
		{"with a record that is not JSON", expiring(setKey(RecordKey, "{")), time.Hour, VerdictDamaged},
		{"with an expires-at before quarantined-at", expiring(setKey(ExpiresAtKey, "0001-01-01T00:00:00Z")), time.Hour, VerdictDamaged},
		{"and a hold does not repair a record", expiring(setKey(HoldKey, "true"), dropKey(RecordKey)), 0, VerdictDamaged},
	} {
		t.Run(test.rule, func(t *testing.T) {
			got, status := VerdictOf(test.pod, expiresAt.Add(test.at))
			if got != test.want {
				t.Errorf("%s, not %s", got, test.want)
			}
			if (status.Problem != nil) != (status.State == Damaged) {
				t.Errorf("problem: %v", status.Problem)
			}
		})
	}
}

// entry adds an entry of the managed fields: what a manager owns, and when it last wrote.
func entry(at time.Time, fields string) metadataOption {
	return func(pod *metav1.ObjectMeta) {
		pod.ManagedFields = append(pod.ManagedFields, metav1.ManagedFieldsEntry{
			Manager: "kubectl-annotate", Operation: metav1.ManagedFieldsOperationUpdate, APIVersion: "v1",
			Time: &metav1.Time{Time: at}, FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(fields),
		})
	}
}

func created(at time.Time) metadataOption {
	return func(pod *metav1.ObjectMeta) { pod.CreationTimestamp = metav1.Time{Time: at} }
}

func TestAnExpiryBeforeItWasStoredIsImplausible(t *testing.T) {
	const (
		request    = `{"f:metadata":{"f:annotations":{".":{},"f:isolate.example.io/quarantine":{},"f:isolate.example.io/ttl":{},"f:isolate.example.io/reason":{}}}}`
		withHold   = `{"f:metadata":{"f:annotations":{"f:isolate.example.io/quarantine":{},"f:isolate.example.io/hold":{}}}}`
		withOthers = `{"f:metadata":{"f:annotations":{"f:isolate.example.io/quarantine":{},"f:example.com/team":{}}}}`
		withLabels = `{"f:metadata":{"f:annotations":{"f:isolate.example.io/quarantine":{}},"f:labels":{"f:app":{}}}}`
		withSpec   = `{"f:metadata":{"f:annotations":{"f:isolate.example.io/quarantine":{}}},"f:spec":{}}`
		reasonOnly = `{"f:metadata":{"f:annotations":{"f:isolate.example.io/reason":{}}}}`
		expiryOnly = `{"f:metadata":{"f:annotations":{"f:isolate.example.io/expires-at":{}}}}`
	)
	day := expiresAt.Add(24 * time.Hour)
	for _, test := range []struct {
		rule string
		pod  *metav1.ObjectMeta
		want Verdict
	}{
		{"the pod was created after its expiry", expiring(created(day)), VerdictImplausible},
		{"the pod was created before its expiry", expiring(created(expiresAt.Add(-time.Hour))), VerdictExpired},
		{"the clocks may differ by 2 seconds, and the shortest ttl is 1", expiring(created(expiresAt.Add(time.Second))), VerdictExpired},
		{"the clocks may not differ by more", expiring(created(expiresAt.Add(2 * time.Second))), VerdictImplausible},
		{"the trigger was set after the expiry", expiring(entry(day, request)), VerdictImplausible},
		{"the trigger was set before the expiry", expiring(entry(expiresAt.Add(-time.Hour), request)), VerdictExpired},
		{"the expiry was set after its own time", expiring(entry(day, expiryOnly)), VerdictImplausible},
		{"the manager of the trigger withdrew a hold later", expiring(entry(day, withHold)), VerdictExpired},
		{"the manager of the trigger set another annotation later", expiring(entry(day, withOthers)), VerdictExpired},
		{"the manager of the trigger set a label later", expiring(entry(day, withLabels)), VerdictExpired},
		{"the manager of the trigger also owns the spec", expiring(entry(day, withSpec)), VerdictExpired},
		{"another manager set the reason later", expiring(entry(day, reasonOnly)), VerdictExpired},
		{"unreadable fields are ignored", expiring(entry(day, `{"f:metadata":["isolate.example.io/"]}`)), VerdictExpired},
		{"a hold takes precedence", expiring(created(day), setKey(HoldKey, True)), VerdictHeld},
		{"an extension repairs it", expiring(created(day), setKey(ExpiresAtKey, stamp(day.Add(time.Hour)))), VerdictExpired},
	} {
		t.Run(test.rule, func(t *testing.T) {
			const later = 100 * time.Hour
			if got, _ := VerdictOf(test.pod, expiresAt.Add(later)); got != test.want {
				t.Errorf("%s, not %s", got, test.want)
			}
			test.pod.ManagedFields = TriggerWrites(test.pod.ManagedFields)
			if got, _ := VerdictOf(test.pod, expiresAt.Add(later)); got != test.want {
				t.Errorf("%s, not %s, by what the cache keeps", got, test.want)
			}
		})
	}
}

func TestTheVerdictNamesAnImplausibleExpiry(t *testing.T) {
	_, status := VerdictOf(expiring(created(expiresAt.Add(time.Hour))), expiresAt)
	const want = "annotation isolate.example.io/expires-at is 2026-03-01T12:00:00Z, but the API server stored it at 2026-03-01T13:00:00Z or later, " +
		"so the clock by which isolate stamped it was behind"
	if status.Problem == nil || status.Problem.Error() != want {
		t.Errorf("%v", status.Problem)
	}
}

func TestTheVerdictNamesStampsInTheWrongOrder(t *testing.T) {
	_, status := VerdictOf(expiring(setKey(ExpiresAtKey, "2026-03-01T10:59:59Z")), expiresAt)
	const want = "annotation isolate.example.io/expires-at is before isolate.example.io/quarantined-at"
	if status.Problem == nil || status.Problem.Error() != want {
		t.Errorf("%v", status.Problem)
	}
}

func TestARecordOfAnyReleaseExpires(t *testing.T) {
	recordedExpiry := time.Date(2026, 3, 15, 15, 9, 27, 0, time.UTC)
	for name, pod := range recorded(t) {
		meta := &metav1.ObjectMeta{Labels: pod.Labels, Annotations: pod.Annotations}
		if got, _ := VerdictOf(meta, recordedExpiry.Add(-time.Second)); got != VerdictWaiting {
			t.Errorf("%s: %s a second before it expires", name, got)
		}
		if got, _ := VerdictOf(meta, recordedExpiry); got != VerdictExpired {
			t.Errorf("%s: %s when it expires", name, got)
		}
	}
}
