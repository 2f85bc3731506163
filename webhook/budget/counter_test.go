package budget

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/types"
)

// The record of an older release names the pod's own controller. A newer record names that
// controller's controller.
func TestAPodCountsOnceForSeveralControllers(t *testing.T) {
	a := newAdmissions(t, 9, quarantined("one", "web", start), quarantined("two", "web-1", start), quarantined("other", "api", start))
	require.Equal(t, 2, sum(a.count("shop", "new").Controlled("web", "web-1")))
	require.Equal(t, 1, sum(a.count("shop", "new").Controlled("web", "web")))
	require.Equal(t, 1, sum(a.count("shop", "one").Controlled("web", "web-1")))
	require.Zero(t, sum(a.count("shop", "one").Controlled("web")))
	require.Equal(t, 1, sum(a.count("shop", "one").Controlled("api")))
}

func TestTheUseOfEachNamespace(t *testing.T) {
	c := newCounter()
	require.Empty(t, c.used())
	for pod, e := range map[types.UID]entry{
		"one": {"shop", "web"}, "two": {"shop", "web"}, "three": {"shop", "api"},
		"bare-1": {"ah", ""}, "bare-2": {"ah", ""},
	} {
		c.add(pod, e)
	}
	require.Equal(t, map[string]Use{"shop": {All: 3, Controller: 2}, "ah": {All: 2}}, c.used(), "a pod without a controller has no controller's budget")
}

// After any sequence of changes, the counter agrees with a count of all entries.
func TestTheCounterAgreesWithACountOfAllEntries(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	one := func(of string, n int) types.UID { return types.UID(fmt.Sprint(of, random.IntN(n))) }
	c, entries := newCounter(), map[types.UID]entry{}
	for range 10_000 {
		pod, e := one("pod-", 20), entry{string(one("namespace-", 3)), one("controller-", 4)}
		if random.IntN(3) == 0 {
			c.remove(pod)
			delete(entries, pod)
		} else {
			c.add(pod, e)
			entries[pod] = e
		}
		pod, e = one("pod-", 20), entry{string(one("namespace-", 3)), one("controller-", 4)}
		all, controlled := 0, 0
		for other, is := range entries {
			if other == pod || is.namespace != e.namespace {
				continue
			}
			all++
			if is.controller == e.controller {
				controlled++
			}
		}
		others := c.excluding(e.namespace, pod)
		require.Equal(t, all, others.all())
		require.Equal(t, controlled, others.controlled([]types.UID{e.controller}))
	}
}
