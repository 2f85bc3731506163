package quarantine

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

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
			rules := DefaultRules()
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

// An older release that has to extend a newer one's record keeps all that it
// doesn't know, to the byte.
func TestWhatANewerReleaseRecordedStays(t *testing.T) {
	before := recorded(t)["newer-release.json"]
	rules := DefaultRules()
	req := update(returned(), before, annotation(RecheckKey, "now"))
	after := apply(t, req.New, rules.Decide(req))
	if after.Annotations[RecordKey] == before.Annotations[RecordKey] {
		t.Fatal("the record was not extended, so this shows nothing")
	}
	was, is := map[string]json.RawMessage{}, map[string]json.RawMessage{}
	for record, fields := range map[string]map[string]json.RawMessage{before.Annotations[RecordKey]: was, after.Annotations[RecordKey]: is} {
		if err := json.Unmarshal([]byte(record), &fields); err != nil {
			t.Fatal(err)
		}
	}
	for _, field := range []string{"schema", "futureObject", "ownerReferences"} {
		if string(was[field]) != string(is[field]) {
			t.Errorf("%s was %s and is %s", field, was[field], is[field])
		}
	}
	if !strings.Contains(string(is["letGo"]), "Gateway/of-tomorrow") {
		t.Errorf("letGo is %s", is["letGo"])
	}
}
