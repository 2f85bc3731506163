package quarantine

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/apimachinery/pkg/types"
)

// now is the time of the tests' admissions. It has a fraction of a second, to test rounding.
var now = time.Date(2026, 3, 14, 15, 9, 26, 535_000_000, time.UTC)

// namespace implements [Selectors] by scanning a list.
type namespace []*SelectingObject

func (n namespace) Matching(podLabels map[string]string) []*SelectingObject {
	return n.scan(podLabels, false)
}

func (n namespace) NetworkPolicies(podLabels map[string]string) []*SelectingObject {
	return n.scan(podLabels, true)
}

func (n namespace) scan(podLabels map[string]string, policies bool) []*SelectingObject {
	var matching []*SelectingObject
	for _, s := range n {
		if (s.Kind == KindNetworkPolicy) == policies && matches(s.Requirements, podLabels) {
			matching = append(matching, s)
		}
	}
	return matching
}

func (n namespace) Lookup(kind schema.GroupKind, name string) *SelectingObject {
	for _, s := range n {
		if s.Kind == kind && s.Name == name {
			return s
		}
	}
	return nil
}

func (n namespace) EndpointSlices(string, types.UID) []*EndpointSlice { return nil }

// sliced is a [namespace] in which these EndpointSlices name the pod.
type sliced struct {
	namespace
	slices []*EndpointSlice
}

func (s sliced) EndpointSlices(string, types.UID) []*EndpointSlice { return s.slices }

func matches(requirements labels.Requirements, podLabels map[string]string) bool {
	for _, r := range requirements {
		if !r.Matches(labels.Set(podLabels)) {
			return false
		}
	}
	return true
}

func selects(kind schema.GroupKind, name string, requirements ...labels.Requirement) *SelectingObject {
	return &SelectingObject{Kind: kind, Name: name, UID: types.UID("uid-" + name), Requirements: requirements, Desired: 2, Current: 2, Ready: 2, Available: 2}
}

func require(key string, op selection.Operator, values ...string) labels.Requirement {
	r, err := labels.NewRequirement(key, op, values)
	if err != nil {
		panic(err)
	}
	return *r
}

func equals(key, value string) labels.Requirement { return require(key, selection.Equals, value) }

func exists(key string) labels.Requirement { return require(key, selection.Exists) }

func absent(key string) labels.Requirement { return require(key, selection.DoesNotExist) }

func notIn(key string, values ...string) labels.Requirement {
	return require(key, selection.NotIn, values...)
}

// pod returns the pod of the incident, with these changes.
func pod(changes ...func(*Metadata)) *Pod {
	p := &Pod{Metadata: Metadata{
		Name:      "login-audit-trail-service-5d4f8-x2x",
		Namespace: "ah",
		UID:       "uid-pod",
		Labels: map[string]string{
			"component":         "api-springboot",
			"release":           "login-audit-trail-service",
			"pod-template-hash": "5d4f8",
		},
		OwnerReferences: []metav1.OwnerReference{{
			APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "login-audit-trail-service-5d4f8",
			UID: "uid-login-audit-trail-service-5d4f8", Controller: new(true), BlockOwnerDeletion: new(true),
		}},
	}, Status: PodState{Phase: corev1.PodRunning}}
	for _, change := range changes {
		change(&p.Metadata)
	}
	return p
}

func label(key, value string) func(*Metadata) {
	return func(m *Metadata) { m.Labels[key] = value }
}

func withoutLabel(key string) func(*Metadata) {
	return func(m *Metadata) { delete(m.Labels, key) }
}

func annotation(key, value string) func(*Metadata) {
	return func(m *Metadata) {
		if m.Annotations == nil {
			m.Annotations = map[string]string{}
		}
		m.Annotations[key] = value
	}
}

func owner(apiVersion, kind, name string) func(*Metadata) {
	return func(m *Metadata) {
		m.OwnerReferences = append(m.OwnerReferences, metav1.OwnerReference{
			APIVersion: apiVersion, Kind: kind, Name: name, UID: types.UID("uid-" + name),
		})
	}
}

func withoutOwner() func(*Metadata) { return func(m *Metadata) { m.OwnerReferences = nil } }

var trigger = annotation(TriggerKey, True)

// incident has the objects that select [pod]: its Service, its ReplicaSet, and a second
// Service with another selector.
func incident() namespace {
	n := namespace{
		selects(KindService, "login-audit-trail-service",
			equals("component", "api-springboot"), equals("release", "login-audit-trail-service")),
		selects(KindService, "metrics", equals("component", "api-springboot")),
		selects(KindReplicaSet, "login-audit-trail-service-5d4f8",
			equals("component", "api-springboot"), equals("release", "login-audit-trail-service"), equals("pod-template-hash", "5d4f8")),
	}
	n[2].Controller = &Owner{Kind: schema.GroupKind{Group: "apps", Kind: "Deployment"}, Name: "login-audit-trail-service", UID: "uid-deployment"}
	return n
}

// update returns the request that makes these changes to the pod.
func update(selectors Selectors, before *Pod, changes ...func(*Metadata)) Request {
	after := clone(&before.Metadata)
	for _, change := range changes {
		change(after)
	}
	return Request{Old: before, New: after, User: "jane", Time: now, Selectors: selectors, Quarantined: counted{}}
}

// counted has the number of quarantined pods by the UID of their controller.
type counted map[types.UID]int

func (c counted) Controlled(by ...types.UID) PodCount {
	total := 0
	for uid, n := range c {
		if slices.Contains(by, uid) {
			total += n
		}
	}
	return PodCount{Quarantined: total}
}

func (c counted) All() PodCount {
	total := 0
	for _, n := range c {
		total += n
	}
	return PodCount{Quarantined: total}
}

func clone(m *Metadata) *Metadata {
	data, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	copied := &Metadata{}
	if err := json.Unmarshal(data, copied); err != nil {
		panic(err)
	}
	if copied.Labels == nil {
		copied.Labels = map[string]string{}
	}
	return copied
}

// apply applies the decision's patch as the API server does, and returns the metadata
// that it would store.
func apply(t testing.TB, reviewed *Metadata, decision Decision) *Metadata {
	t.Helper()
	if decision.Denial != nil {
		t.Fatalf("denied: %+v", *decision.Denial)
	}
	document, err := json.Marshal(struct {
		Metadata *Metadata `json:"metadata"`
	}{reviewed})
	if err != nil {
		t.Fatal(err)
	}
	if len(decision.Patch) > 0 {
		operations, err := json.Marshal(decision.Patch)
		if err != nil {
			t.Fatal(err)
		}
		patch, err := jsonpatch.DecodePatch(operations)
		if err != nil {
			t.Fatal(err)
		}
		if document, err = patch.Apply(document); err != nil {
			t.Fatalf("applying %s: %v", operations, err)
		}
	}
	var stored struct {
		Metadata *Metadata `json:"metadata"`
	}
	if err := json.Unmarshal(document, &stored); err != nil {
		t.Fatal(err)
	}
	return stored.Metadata
}
