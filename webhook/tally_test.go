package webhook

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/types"
)

// An older record names the pod's own controller alone, a newer one that one's.
func TestAPodCountsOnceForTheControllersThatAreAskedAbout(t *testing.T) {
	a := newAdmitting(t, 9, quarantined("one", "web", start), quarantined("two", "web-1", start), quarantined("other", "api", start))
	require.Equal(t, 2, a.pods.tally.others("shop", "new").Controlled("web", "web-1"))
	require.Equal(t, 1, a.pods.tally.others("shop", "new").Controlled("web", "web"))
	require.Equal(t, 1, a.pods.tally.others("shop", "one").Controlled("web", "web-1"))
	require.Zero(t, a.pods.tally.others("shop", "one").Controlled("web"))
	require.Equal(t, 1, a.pods.tally.others("shop", "one").Controlled("api"))
}

// However pods come and go, what is counted is what a count of all would find.
func TestTheTallyIsWhatACountOfAllPodsFinds(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	one := func(of string, n int) types.UID { return types.UID(fmt.Sprint(of, random.IntN(n))) }
	counted, members := newTally(), map[types.UID]member{}
	for range 10_000 {
		pod, m := one("pod-", 20), member{string(one("namespace-", 3)), one("controller-", 4)}
		if random.IntN(3) == 0 {
			counted.drop(pod)
			delete(members, pod)
		} else {
			counted.put(pod, m)
			members[pod] = m
		}
		pod, m = one("pod-", 20), member{string(one("namespace-", 3)), one("controller-", 4)}
		all, controlled := 0, 0
		for other, is := range members {
			if other == pod || is.namespace != m.namespace {
				continue
			}
			all++
			if is.controller == m.controller {
				controlled++
			}
		}
		others := counted.others(m.namespace, pod)
		require.Equal(t, all, others.All())
		require.Equal(t, controlled, others.Controlled(m.controller))
	}
}
