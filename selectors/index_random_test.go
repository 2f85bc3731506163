package selectors

import (
	"flag"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"

	"isolate.example.io/quarantine"
)

var cases = flag.Int("cases", 100_000, "how many random changes to compare the index after")

// dice returns a random number below n.
type dice func(n int) int

func (d dice) pick(list ...string) string { return list[d(len(list))] }

// There are so few labels that selectors often match.
func (d dice) key() string   { return d.pick("a", "b", "c", "d") }
func (d dice) value() string { return d.pick("", "1", "2", "3") }

func (d dice) podLabels() map[string]string {
	podLabels := map[string]string{}
	for range d(5) {
		podLabels[d.key()] = d.value()
	}
	return podLabels
}

func (d dice) object(t testing.TB) *quarantine.SelectingObject {
	s := selector(kinds[d(len(kinds))], strconv.Itoa(d(10)))
	for range d(4) {
		s.Requirements = append(s.Requirements, d.requirement(t))
	}
	return s
}

func (d dice) requirement(t testing.TB) labels.Requirement {
	key := d.key()
	switch d(11) {
	case 0, 1:
		return requirement(t, key, selection.Equals, d.value())
	case 2:
		return requirement(t, key, selection.DoubleEquals, d.value())
	case 3:
		return requirement(t, key, selection.In, d.value())
	case 4:
		return requirement(t, key, selection.In, d.value(), d.value())
	case 5:
		return requirement(t, key, selection.NotEquals, d.value())
	case 6:
		return requirement(t, key, selection.NotIn, d.value())
	case 7:
		return requirement(t, key, selection.NotIn, d.value(), d.value())
	case 8:
		return requirement(t, key, selection.Exists)
	case 9:
		return requirement(t, key, selection.DoesNotExist)
	default:
		if d(2) == 0 {
			return requirement(t, key, selection.GreaterThan, "1")
		}
		return requirement(t, key, selection.LessThan, "3")
	}
}

// compared is an index and a plain map of the same objects, nil for an unreadable one.
type compared struct {
	index      *Index
	namespaces map[string]map[objectKey]*quarantine.SelectingObject
}

func newCompared() compared {
	return compared{NewIndex(), map[string]map[objectKey]*quarantine.SelectingObject{"one": {}, "two": {}}}
}

// change sets or deletes an object, and sometimes several, in both.
func (c compared) change(t testing.TB, d dice) {
	namespace := d.pick("one", "two")
	s := d.object(t)
	key := objectKey{s.Kind, s.Name}
	switch n := d(250); {
	case n == 0:
		c.index.SetUnreadable(namespace, s.Kind, s.Name, errOdd)
		c.namespaces[namespace][key] = nil
	case n == 1:
		kept := d.value()
		c.index.retain(s.Kind, func(_, name string) bool { return name == kept })
		for _, objects := range c.namespaces {
			for key := range objects {
				if key.kind == s.Kind && key.name != kept {
					delete(objects, key)
				}
			}
		}
	case n < 100:
		c.index.Delete(namespace, s.Kind, s.Name)
		delete(c.namespaces[namespace], key)
	default:
		c.index.Set(namespace, s)
		c.namespaces[namespace][key] = s
	}
}

// check compares which objects select a pod by either of them, and returns their number,
// or 0 if the answer is an error.
func (c compared) check(t testing.TB, namespace string, podLabels map[string]string) int {
	t.Helper()
	want := map[*quarantine.SelectingObject]bool{}
	unreadable := false
	for _, s := range c.namespaces[namespace] {
		switch {
		case s == nil:
			unreadable = true
		case labels.NewSelector().Add(s.Requirements...).Matches(labels.Set(podLabels)):
			want[s] = true
		}
	}
	view, err := c.index.Namespace(namespace)
	if unreadable {
		require.ErrorIs(t, err, errOdd)
		return 0
	}
	require.NoError(t, err)
	found := view.Matching(podLabels)
	for _, s := range found {
		if !want[s] {
			require.Fail(t, "an object matches that should not", "%s %v for %v", s, s.Requirements, podLabels)
		}
	}
	require.Len(t, found, len(want), "objects that match %v", podLabels)
	for key, s := range c.namespaces[namespace] {
		if view.Lookup(key.kind, key.name) != s {
			require.Fail(t, "Lookup does not return the object that was set last", "%v", key)
		}
	}
	return len(found)
}

func TestTheIndexAgreesWithAScanOfAllObjects(t *testing.T) {
	const seed = 7
	d := dice(rand.New(rand.NewPCG(seed, seed)).IntN)
	c := newCompared()
	step, matched := 0, 0
	defer func() {
		if t.Failed() {
			t.Logf("at step %d of seed %d", step, seed)
		}
	}()
	for step = range *cases {
		c.change(t, d)
		if c.check(t, d.pick("one", "two"), d.podLabels()) > 0 {
			matched++
		}
	}
	require.Greater(t, matched, *cases/2, "too few selectors matched to prove anything")
}

// FuzzMatching takes the changes and the pods from arbitrary bytes.
func FuzzMatching(f *testing.F) {
	random := rand.New(rand.NewPCG(7, 7))
	for _, length := range []int{0, 10, 100, 1000} {
		bytes := make([]byte, length)
		for i := range bytes {
			bytes[i] = byte(random.IntN(256))
		}
		f.Add(bytes)
	}
	f.Fuzz(func(t *testing.T, bytes []byte) {
		d := dice(func(n int) int {
			if len(bytes) == 0 {
				return 0
			}
			next := int(bytes[0]) % n
			bytes = bytes[1:]
			return next
		})
		c := newCompared()
		for len(bytes) > 0 {
			c.change(t, d)
			c.check(t, d.pick("one", "two"), d.podLabels())
		}
	})
}

// A reader sees an object that is being replaced exactly once, as it was or as it becomes.
// With -race, the test also finds data races.
func TestAReaderSeesEachObjectOnceDuringWrites(t *testing.T) {
	const workers, times = 4, 2000
	pod := map[string]string{"app": "web", "a": "1"}
	ix := NewIndex()
	replacements := []*quarantine.SelectingObject{
		service(t, "web", "app", "web"), service(t, "web", "a", "1"), selector(quarantine.KindService, "web"),
	}
	ix.Set("ns", replacements[0])
	var group sync.WaitGroup
	for worker := range workers {
		d := dice(rand.New(rand.NewPCG(uint64(worker), 1)).IntN)
		group.Go(func() {
			for i := range times {
				ix.Set("ns", replacements[i%len(replacements)])
				s := d.object(t)
				s.Name = "other-" + s.Name
				ix.Set("ns", s)
				ix.Delete("ns", s.Kind, "other-"+strconv.Itoa(d(10)))
				ix.SetUnreadable("odd", s.Kind, s.Name, errOdd)
				ix.retain(quarantine.KindJob, func(_, name string) bool { return name != s.Name })
			}
		})
		group.Go(func() {
			for range times {
				view, err := ix.Namespace("ns")
				if err != nil {
					t.Error(err)
					return
				}
				seen := 0
				for _, s := range view.Matching(pod) {
					if s.Kind == quarantine.KindService && s.Name == "web" {
						seen++
					}
				}
				if seen != 1 || view.Lookup(quarantine.KindService, "web") == nil {
					t.Errorf("an object was seen %d times while it was replaced", seen)
					return
				}
			}
		})
	}
	group.Wait()
}
