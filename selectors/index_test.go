package selectors

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/selection"

	"isolate.example.io/quarantine"
)

var kinds = []schema.GroupKind{
	quarantine.KindService, quarantine.KindReplicaSet, quarantine.KindStatefulSet, quarantine.KindDaemonSet,
	quarantine.KindJob, quarantine.KindReplicationController, quarantine.KindPodDisruptionBudget,
}

func selector(kind schema.GroupKind, name string, requirements ...labels.Requirement) *quarantine.Selector {
	return &quarantine.Selector{Kind: kind, Name: name, Requirements: requirements}
}

func requirement(t testing.TB, key string, operator selection.Operator, values ...string) labels.Requirement {
	t.Helper()
	r, err := labels.NewRequirement(key, operator, values)
	require.NoError(t, err)
	return *r
}

func matching(t testing.TB, ix *Index, namespace string, podLabels map[string]string) []*quarantine.Selector {
	t.Helper()
	view, err := ix.Namespace(namespace)
	require.NoError(t, err)
	return view.Matching(podLabels)
}

// world draws objects and pods from so few labels that they often match.
type world struct {
	testing.TB
	random *rand.Rand
}

func (w world) pick(list ...string) string { return list[w.random.IntN(len(list))] }

func (w world) key() string   { return w.pick("a", "b", "c", "d") }
func (w world) value() string { return w.pick("", "1", "2", "3") }

func (w world) object() *quarantine.Selector {
	s := selector(kinds[w.random.IntN(len(kinds))], strconv.Itoa(w.random.IntN(20)))
	for range w.random.IntN(4) {
		switch key := w.key(); w.random.IntN(6) {
		case 0, 1:
			s.Requirements = append(s.Requirements, requirement(w, key, selection.Equals, w.value()))
		case 2:
			s.Requirements = append(s.Requirements, requirement(w, key, selection.In, w.value(), w.value()))
		case 3:
			s.Requirements = append(s.Requirements, requirement(w, key, selection.NotIn, w.value()))
		case 4:
			s.Requirements = append(s.Requirements, requirement(w, key, selection.Exists))
		case 5:
			s.Requirements = append(s.Requirements, requirement(w, key, selection.DoesNotExist))
		}
	}
	return s
}

func (w world) podLabels() map[string]string {
	podLabels := map[string]string{}
	for range w.random.IntN(5) {
		podLabels[w.key()] = w.value()
	}
	return podLabels
}

func TestTheIndexAnswersAsALookAtEveryObjectDoes(t *testing.T) {
	const seed, cases = 7, 100_000
	w := world{t, rand.New(rand.NewPCG(seed, seed))}
	ix := NewIndex()
	all := map[string]map[objectKey]*quarantine.Selector{"one": {}, "two": {}}
	for i := range cases {
		namespace := w.pick("one", "two")
		objects := all[namespace]
		s := w.object()
		key := objectKey{s.Kind, s.Name}
		if w.random.IntN(3) == 0 {
			ix.Delete(namespace, s.Kind, s.Name)
			delete(objects, key)
		} else {
			ix.Set(namespace, s)
			objects[key] = s
		}
		podLabels := w.podLabels()
		var want []*quarantine.Selector
		for _, candidate := range objects {
			if labels.NewSelector().Add(candidate.Requirements...).Matches(labels.Set(podLabels)) {
				want = append(want, candidate)
			}
		}
		got := matching(t, ix, namespace, podLabels)
		if len(got) != len(want) || slices.ContainsFunc(want, func(s *quarantine.Selector) bool { return !slices.Contains(got, s) }) {
			t.Fatalf("case %d of seed %d: labels %v: got %v, want %v", i, seed, podLabels, got, want)
		}
		if looked, err := ix.Namespace(namespace); err != nil || looked.Lookup(s.Kind, s.Name) != objects[key] {
			t.Fatalf("case %d of seed %d: lookup of %s: %v", i, seed, s, err)
		}
	}
}

func TestMatchingIsOrderedByKindAndName(t *testing.T) {
	ix := NewIndex()
	for _, kind := range slices.Backward(kinds) {
		ix.Set("ns", selector(kind, "b"))
		ix.Set("ns", selector(kind, "a"))
	}
	var names []string
	for _, s := range matching(t, ix, "ns", nil) {
		names = append(names, s.String())
	}
	require.Equal(t, []string{
		"Service/a", "Service/b", "ReplicaSet/a", "ReplicaSet/b", "StatefulSet/a", "StatefulSet/b", "DaemonSet/a", "DaemonSet/b",
		"Job/a", "Job/b", "ReplicationController/a", "ReplicationController/b", "PodDisruptionBudget/a", "PodDisruptionBudget/b",
	}, names)
}

func TestASelectorThatCannotBeReadIsAnErrorInItsNamespaceAlone(t *testing.T) {
	ix := NewIndex()
	ix.SetUnreadable("ns", quarantine.KindJob, "odd", errors.New("no such operator"))
	_, err := ix.Namespace("ns")
	require.EqualError(t, err, "reading the selector of Job ns/odd: no such operator")
	_, err = ix.Namespace("other")
	require.NoError(t, err)

	ix.Set("ns", selector(quarantine.KindJob, "odd"))
	require.Len(t, matching(t, ix, "ns", nil), 1)
	ix.SetUnreadable("ns", quarantine.KindJob, "odd", errors.New("no such operator"))
	ix.retain(quarantine.KindJob, func(string, string) bool { return false })
	require.Empty(t, matching(t, ix, "ns", nil))
}

func TestOnlyWhatIsRetainedStays(t *testing.T) {
	ix := NewIndex()
	ix.Set("ns", selector(quarantine.KindJob, "kept"))
	ix.Set("ns", selector(quarantine.KindJob, "gone"))
	ix.Set("ns", selector(quarantine.KindService, "gone", requirement(t, "a", selection.Equals, "1")))
	ix.retain(quarantine.KindJob, func(_, name string) bool { return name == "kept" })
	require.Len(t, matching(t, ix, "ns", map[string]string{"a": "1"}), 2)
}

func TestNothingIsKeptOfWhatIsGone(t *testing.T) {
	ix := NewIndex()
	for i := range 100 {
		s := selector(quarantine.KindService, strconv.Itoa(i), requirement(t, "a", selection.Equals, strconv.Itoa(i%7)))
		ix.Set("ns", s)
		ix.Set("ns", s)
	}
	for i := range 100 {
		ix.Delete("ns", quarantine.KindService, strconv.Itoa(i))
	}
	require.Empty(t, ix.namespaces)
}

// Meaningful with -race, and for deadlocks.
func TestManyReadAndWriteAtOnce(t *testing.T) {
	ix := NewIndex()
	always := selector(quarantine.KindService, "always", requirement(t, "app", selection.Equals, "web"))
	ix.Set("ns", always)
	var group sync.WaitGroup
	for worker := range uint64(4) {
		group.Go(func() {
			w := world{t, rand.New(rand.NewPCG(worker, 1))}
			for range 2000 {
				s := w.object()
				ix.Set("ns", s)
				ix.Delete("ns", s.Kind, strconv.Itoa(w.random.IntN(20)))
			}
		})
		group.Go(func() {
			for range 2000 {
				found := matching(t, ix, "ns", map[string]string{"app": "web", "a": "1"})
				if !slices.Contains(found, always) {
					panic(fmt.Sprint("not found while others are written: ", found))
				}
			}
		})
	}
	group.Wait()
}

// FuzzMatching compares the index with a look at every object, for objects that a
// stranger's bytes describe.
func FuzzMatching(f *testing.F) {
	f.Add(uint64(1), uint64(2))
	f.Fuzz(func(t *testing.T, seed1, seed2 uint64) {
		w := world{t, rand.New(rand.NewPCG(seed1, seed2))}
		ix := NewIndex()
		objects := map[objectKey]*quarantine.Selector{}
		for range 30 {
			s := w.object()
			ix.Set("ns", s)
			objects[objectKey{s.Kind, s.Name}] = s
		}
		podLabels := w.podLabels()
		found := matching(t, ix, "ns", podLabels)
		for _, s := range objects {
			want := labels.NewSelector().Add(s.Requirements...).Matches(labels.Set(podLabels))
			if slices.Contains(found, s) != want {
				t.Errorf("labels %v: %s with %v matches: %t", podLabels, s, s.Requirements, want)
			}
		}
	})
}

// BenchmarkMatching finds the one of many selectors that matches a pod, beside
// the scan of a namespace that Kubernetes' endpoint slice controller does.
func BenchmarkMatching(b *testing.B) {
	podLabels := map[string]string{
		"app": "app-50", "release": "release-50", "tier": "backend", "version": "v1",
		"team": "payments", "region": "eu", "pod-template-hash": "hash-50", "track": "stable",
	}
	for _, count := range []int{100, 1_000, 10_000, 100_000} {
		ix := NewIndex()
		scanned := make([]labels.Selector, 0, count)
		for i := range count {
			n := strconv.Itoa(i)
			s := selector(quarantine.KindService, n,
				requirement(b, "app", selection.Equals, "app-"+n), requirement(b, "tier", selection.Equals, "backend"))
			ix.Set("ns", s)
			scanned = append(scanned, labels.NewSelector().Add(s.Requirements...))
		}
		view, err := ix.Namespace("ns")
		require.NoError(b, err)
		b.Run(fmt.Sprintf("index/selectors=%d", count), func(b *testing.B) {
			for b.Loop() {
				if len(view.Matching(podLabels)) != 1 {
					b.Fatal("not found")
				}
			}
		})
		b.Run(fmt.Sprintf("scan/selectors=%d", count), func(b *testing.B) {
			for b.Loop() {
				found := 0
				for _, s := range scanned {
					if s.Matches(labels.Set(podLabels)) {
						found++
					}
				}
				if found != 1 {
					b.Fatal("not found")
				}
			}
		})
	}
}
