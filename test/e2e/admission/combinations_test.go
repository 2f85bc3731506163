package admission

import (
	"flag"
	"math/rand/v2"
	"testing"

	"golang.org/x/sync/errgroup"
)

var (
	combinations = flag.String("combinations", "some", `"all": every pair of third parties, not only some of them`)
	seed         = flag.Uint64("seed", 15, "which pairs are chosen")
)

const (
	// pairs is how many pairs run unless all do.
	pairs = 120
	// together is how many combinations run at the same time. They spend most of their
	// time waiting for controllers.
	together = 12
)

// Whatever third parties do at admission, isolate keeps its guarantees.
func TestAPodsLifeAmongOthers(t *testing.T) {
	t.Logf("seed %d", *seed)
	var group errgroup.Group
	group.SetLimit(together)
	for _, c := range chosen() {
		group.Go(func() error {
			t.Run(c.name(), func(t *testing.T) {
				t.Cleanup(func() {
					if t.Failed() {
						t.Logf("to run this alone: go test -count=1 ./test/e2e/admission -combinations=all -run='^TestAPodsLifeAmongOthers$/^%s$'", c.name())
					}
				})
				n, pods := newNamespace(t, c)
				live(n, pods)
			})
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
}

// chosen returns the empty combination, each of the third parties alone, and pairs.
func chosen() []combination {
	all := thirdParties()
	list := []combination{{}}
	for _, o := range all {
		list = append(list, combination{o})
	}
	var two []combination
	for i := range all {
		for j := range i {
			two = append(two, combination{all[j], all[i]})
		}
	}
	if *combinations != "all" {
		random := rand.New(rand.NewPCG(*seed, 0))
		random.Shuffle(len(two), func(i, j int) { two[i], two[j] = two[j], two[i] })
		two = two[:pairs]
	}
	return append(list, two...)
}
