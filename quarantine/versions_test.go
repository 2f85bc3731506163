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

// recorded returns pods that other releases of isolate quarantined, one for each form of
// the record, including one of a newer release. These files never change.
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

func TestRecordOfAnyReleaseIsReleased(t *testing.T) {
	for name, before := range recorded(t) {
		t.Run(name, func(t *testing.T) {
			config := DefaultConfig()
			req := update(incident(), before, without(TriggerKey))
			after := apply(t, req.New, config.Decide(req))
			if diff := cmp.Diff(pod().Labels, after.Labels); diff != "" {
				t.Errorf("labels: %s", diff)
			}
			for key := range after.Annotations {
				if strings.HasPrefix(key, Domain) && key != UnrestoredKey {
					t.Errorf("%s was not removed", key)
				}
			}
		})
	}
}

// Hold and extend change only expires-at and the record's field extended.
func TestRecordOfAnyReleaseIsHeldAndExtended(t *testing.T) {
	for name, before := range recorded(t) {
		t.Run(name, func(t *testing.T) {
			config := DefaultConfig()
			req := update(incident(), before, annotation(HoldKey, True), annotation(ExtendKey, "7d"))
			after := apply(t, req.New, config.Decide(req))
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
				t.Errorf("everything else: %s", diff)
			}
			if kept := StatusOf(after.Labels, after.Annotations).ExpiresAt.Sub(now); kept.Round(time.Second) != 7*24*time.Hour {
				t.Errorf("kept for %s", kept)
			}
		})
	}
}

// rawFields returns the fields of a record, byte for byte.
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

// A release keeps the fields that a newer release recorded, byte for byte.
func TestUnknownFieldsOfRecordStay(t *testing.T) {
	before := recorded(t)["newer-release.json"]
	config := DefaultConfig()
	req := update(reselected(), before, annotation(RecheckKey, "now"))
	after := apply(t, req.New, config.Decide(req))
	if after.Annotations[RecordKey] == before.Annotations[RecordKey] {
		t.Fatal("the record did not change, so this tests nothing")
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
