package policies

import (
	"context"
	"maps"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"isolate.example.io/quarantine"
)

// attempt is an attack on a pod.
type attempt struct {
	path  writePath
	user  user
	state string
	features
}

// The test tries to do what only isolate may do, through every write path, as every
// kind of user, on pods in every state.
func TestBypassAttempts(t *testing.T) {
	t.Parallel()
	m := newMatrix(t)
	for _, state := range slices.Sorted(maps.Keys(m.states)) {
		for _, who := range slices.Sorted(maps.Keys(m.users)) {
			t.Run(state+", "+who, func(t *testing.T) {
				t.Parallel()
				m.try(t, state, m.users[who])
			})
		}
	}
	t.Cleanup(func() {
		m.nothingIsHalfDone(t)
		t.Logf("%d attempts", m.tried.Load())
	})
}

// try tries all attacks through all write paths on pods in a state. It reuses a pod
// that an attempt didn't change.
func (m *matrix) try(t *testing.T, state string, u user) {
	var pod *corev1.Pod
	for _, name := range slices.Sorted(maps.Keys(m.paths)) {
		for _, attack := range slices.Sorted(maps.Keys(attacks)) {
			if pod == nil {
				pod = m.states[state]()
			}
			a := attempt{path: m.paths[name], user: u, state: state}
			before := pod
			if a.path.kind == binds { // a Binding has only the metadata that it adds
				before = &corev1.Pod{}
			}
			after := before.DeepCopy()
			attacks[attack](after)
			if a.path.adds {
				after.Labels, after.Annotations = merged(before.Labels, after.Labels), merged(before.Annotations, after.Annotations)
			}
			a.features = featuresOf(before, after)
			few := a.path.kind == dropped || !u.may(a.path)
			if a.path.kind == apply && a.removes || few && !slices.Contains(worst, attack) {
				continue
			}
			pod = m.tryOne(t, name+": "+attack, a, pod, attacks[attack])
		}
	}
}

// tryOne returns the pod if it is unchanged.
func (m *matrix) tryOne(t *testing.T, name string, a attempt, pod *corev1.Pod, attack change) *corev1.Pod {
	t.Helper()
	m.tried.Add(1)
	want := expected(a)
	clients := []client.Client{a.user.client}
	if a.path.kind == direct {
		clients = []client.Client{client.NewDryRunClient(a.user.client), a.user.client}
	}
	for _, c := range clients {
		err := a.path.write(t.Context(), c, pod.DeepCopy(), attack)
		if problem := want.differs(err); problem != "" {
			t.Errorf("%s: %s", name, problem)
		}
	}
	stored := m.server.read(t, pod)
	if want.outcome == "" {
		if stored.ResourceVersion != pod.ResourceVersion {
			t.Errorf("%s: refused, and changed", name)
		}
	} else if problem := m.violated(want.outcome, a, pod, stored); problem != "" {
		t.Errorf("%s: %s, want it %s:\nbefore %v %v\nafter  %v %v", name, problem, want.outcome,
			pod.Labels, pod.Annotations, stored.Labels, stored.Annotations)
	}
	if stored.ResourceVersion == pod.ResourceVersion {
		return pod
	}
	if a.path.kind == binds {
		m.server.remove(t, stored)
	}
	return nil
}

// violated describes what is wrong with the stored pod.
func (m *matrix) violated(outcome string, a attempt, before, stored *corev1.Pod) string {
	switch outcome {
	case quarantined:
		return m.badlyQuarantined(a, stored)
	case released:
		for _, key := range append([]string{quarantine.TriggerKey, quarantine.HoldKey}, recordKeys...) {
			if _, ok := stored.Annotations[key]; ok {
				return key + " is left"
			}
		}
		if _, ok := stored.Labels[quarantine.QuarantinedLabel]; ok || (a.state != "damaged" && stored.Labels["app"] != "web") {
			return "not released"
		}
	case untouched, detached:
		for _, key := range recordKeys {
			if before.Annotations[key] != stored.Annotations[key] {
				return key + " changed"
			}
		}
		if before.Labels[quarantine.QuarantinedLabel] != stored.Labels[quarantine.QuarantinedLabel] {
			return "the label changed"
		}
		ttl := stored.Annotations[quarantine.TTLKey]
		if a.state != "free" && a.state != "damaged" && ttl != "" && ttl != before.Annotations[quarantine.TTLKey] {
			return "the ttl changed"
		}
		// A policy can't tell to which pod a Binding copies labels, and schedulers may
		// set some. The leak guard detaches such a pod again.
		if stored.Labels[quarantine.QuarantinedLabel] != "" && a.state != "damaged" && a.path.kind != binds && stored.Labels["app"] == "web" {
			return "a Service selects it"
		}
		if outcome == detached && len(stored.OwnerReferences) > 0 {
			return "it has owners"
		}
	}
	return ""
}

func (m *matrix) badlyQuarantined(a attempt, stored *corev1.Pod) string {
	is := quarantine.StatusOf(stored.Labels, stored.Annotations)
	switch {
	case is.State != quarantine.Quarantined:
		return "not quarantined"
	case is.By != a.user.name:
		return "by " + is.By
	case time.Until(is.ExpiresAt) < 23*time.Hour:
		return "it expires at " + is.ExpiresAt.String()
	case is.Record.Labels["app"] != "web" || stored.Labels["app"] != "quarantined-web":
		return "the labels are not as they should be"
	case len(stored.OwnerReferences) > 0:
		return "it has owners"
	}
	return ""
}

// nothingIsHalfDone checks all pods.
func (m *matrix) nothingIsHalfDone(t *testing.T) {
	t.Helper()
	pods := &corev1.PodList{}
	must(t, m.server.admin.List(context.Background(), pods, client.HasLabels{quarantine.QuarantinedLabel}))
	for i := range pods.Items {
		pod := &pods.Items[i]
		if _, ok := pod.Labels["damaged"]; ok || pod.DeletionTimestamp != nil {
			continue
		}
		if status := quarantine.StatusOf(pod.Labels, pod.Annotations); status.State != quarantine.Quarantined ||
			pod.Annotations[quarantine.TriggerKey] != quarantine.True || pod.Labels["app"] == "web" || len(pod.OwnerReferences) > 0 {
			t.Errorf("half quarantined: %v %v", pod.Labels, pod.Annotations)
		}
	}
}
