package sweeper

import (
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"isolate.example.io/quarantine"
	"isolate.example.io/selectors"
)

func newTestPublisher(local clock.PassiveClock, writer client.Writer) *publisher {
	return newPublisher(writer, local, "sweeper-1", prometheus.NewCounter(prometheus.CounterOpts{Name: "untold"}))
}

// published are the reasons of the events that wait to be created, each with the
// kind of the object that is told.
func published(p *publisher) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []string
	for _, e := range p.waiting {
		all = append(all, e.regarding.Kind+" "+string(e.reason))
	}
	slices.Sort(all)
	return all
}

const ownedRecord = `{"ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"web","uid":"set-1","controller":true}],` +
	`"detachedFrom":["Service/web","ReplicaSet/web"]}`

// recorded gives a pod the record of one that a ReplicaSet owned.
var recorded = annotated(quarantine.RecordKey, ownedRecord)

// lasting has a pod quarantined so long before noon.
func lasting(d time.Duration) change {
	return annotated(quarantine.QuarantinedAtKey, noon.Add(-d).Format(time.RFC3339))
}

func TestAnnouncements(t *testing.T) {
	overdue := func(pod *metav1.PartialObjectMetadata) {
		pod.DeletionTimestamp = &metav1.Time{Time: noon.Add(-2 * time.Hour)}
	}
	for _, test := range []struct {
		rule  string
		pod   *metav1.PartialObjectMetadata
		at    time.Duration // after noon, when the pod expires
		want  []string
		after time.Duration
	}{
		{"a pod and its former controller are told", quarantined(recorded), -time.Hour,
			[]string{"Pod Quarantined", "ReplicaSet Quarantined"}, 54 * time.Minute},
		{"without a controller the pod alone", quarantined(), -time.Hour, []string{"Pod Quarantined"}, 54 * time.Minute},
		{"what is an hour old is no news", quarantined(recorded, lasting(3*time.Hour)), -2 * time.Hour, nil, 105 * time.Minute},
		{"soon is a tenth of the time before", quarantined(lasting(10 * time.Minute)), -time.Minute - time.Second, []string{"Pod Quarantined"}, time.Second},
		{"and then it is told", quarantined(lasting(10 * time.Minute)), -time.Minute, []string{"Pod ExpiresSoon", "Pod Quarantined"}, 0},
		{"but 15 minutes at most", quarantined(lasting(240 * time.Hour)), -15*time.Minute - time.Second, nil, time.Second},
		{"and no less", quarantined(lasting(240 * time.Hour)), -15 * time.Minute, []string{"Pod ExpiresSoon"}, 0},
		{"a held pod doesn't expire soon", quarantined(lasting(24*time.Hour), annotated(quarantine.HoldKey, "true")), -time.Second, nil, 0},
		{"an expired pod is told by who deletes it", quarantined(lasting(24 * time.Hour)), 0, nil, 0},
		{"a damaged record", quarantined(without(quarantine.RecordKey)), 0, []string{"Pod BadRecord"}, 0},
		{"a pod may take its time to go", quarantined(terminating), time.Second, nil, 59 * time.Second},
		{"but not forever", quarantined(overdue), 0, []string{"Pod StillTerminating"}, 0},
	} {
		t.Run(test.rule, func(t *testing.T) {
			w, cluster := newWorld(), &onePod{pod: test.pod}
			w.local.SetTime(noon.Add(test.at))
			a := &announcements{reader: cluster, selectors: selectors.NewIndex(), local: w.local,
				events: newTestPublisher(w.local, cluster)}
			for range 2 { // What was told is not told again.
				result, err := a.Reconcile(t.Context(), webPod)
				require.NoError(t, err)
				require.Equal(t, reconcile.Result{RequeueAfter: test.after}, result)
				require.Equal(t, test.want, published(a.events))
			}
		})
	}
}
