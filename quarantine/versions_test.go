package quarantine

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// recorded are pods as releases of isolate have left them: each that ever wrote a
// record, and one that is newer than this one. What is there is never changed.
func recorded(t *testing.T) map[string]*Pod {
	t.Helper()
	files, err := filepath.Glob("testdata/records/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no records: %v", err)
	}
	pods := map[string]*Pod{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		p := &Pod{}
		if err := json.Unmarshal(data, p); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		pods[filepath.Base(file)] = p
	}
	return pods
}

func TestARecordOfAnyReleaseIsReleased(t *testing.T) {
	for name, before := range recorded(t) {
		t.Run(name, func(t *testing.T) {
			rules := DefaultConfig()
			req := update(incident(), before, without(TriggerKey))
			after := apply(t, req.New, rules.Decide(req))
			if diff := cmp.Diff(pod().Labels, after.Labels); diff != "" {
				t.Errorf("labels: %s", diff)
			}
			for key := range after.Annotations {
				if strings.HasPrefix(key, Domain) {
					t.Errorf("%s stayed", key)
				}
			}
		})
	}
}

// Whoever holds a pod and keeps it longer moves its end, and of the record nothing
// but that this happened is new.
func TestARecordOfAnyReleaseIsHeldAndExtended(t *testing.T) {
	for name, before := range recorded(t) {
		t.Run(name, func(t *testing.T) {
			rules := DefaultConfig()
			req := update(incident(), before, annotation(HoldKey, True), annotation(ExtendKey, "7d"))
			after := apply(t, req.New, rules.Decide(req))
			was, is := rawFields(t, before.Annotations[RecordKey]), rawFields(t, after.Annotations[RecordKey])
			delete(is, "extended")
			if legacy, ok := was[legacyDetachedFrom]; ok {
				was["detachedFrom"] = legacy
				delete(was, legacyDetachedFrom)
			}
			if diff := cmp.Diff(was, is); diff != "" {
				t.Errorf("fields of the record: %s", diff)
			}
			want := clone(&before.Metadata)
			want.Annotations[HoldKey] = True
			want.Annotations[ExpiresAtKey] = after.Annotations[ExpiresAtKey]
			want.Annotations[RecordKey] = after.Annotations[RecordKey]
			if diff := cmp.Diff(want, after); diff != "" {
				t.Errorf("all else: %s", diff)
			}
			if kept := StatusOf(after.Labels, after.Annotations).ExpiresAt.Sub(now); kept.Round(time.Second) != 7*24*time.Hour {
				t.Errorf("kept for %s", kept)
			}
		})
	}
}

// rawFields are those of a record, to the byte.
func rawFields(t *testing.T, record string) map[string]string {
	t.Helper()
	raw := map[string]json.RawMessage{}
	if err := json.Unmarshal([]byte(record), &raw); err != nil {
		t.Fatal(err)
	}
	fields := map[string]string{}
	for name, value := range raw {
		fields[name] = string(value)
	}
	return fields
}

// An older release that has to extend a newer one's record keeps all that it
// doesn't know, to the byte.
func TestWhatANewerReleaseRecordedStays(t *testing.T) {
	before := recorded(t)["newer-release.json"]
	rules := DefaultConfig()
	req := update(returned(), before, annotation(RecheckKey, "now"))
	after := apply(t, req.New, rules.Decide(req))
	if after.Annotations[RecordKey] == before.Annotations[RecordKey] {
		t.Fatal("the record was not extended, so this shows nothing")
	}
	was, is := rawFields(t, before.Annotations[RecordKey]), rawFields(t, after.Annotations[RecordKey])
	for _, field := range []string{"schema", "futureObject", "ownerReferences"} {
		if was[field] != is[field] {
			t.Errorf("%s was %s and is %s", field, was[field], is[field])
		}
	}
	if !strings.Contains(is["detachedFrom"], "Gateway/of-tomorrow") {
		t.Errorf("detachedFrom is %s", is["detachedFrom"])
	}
}
