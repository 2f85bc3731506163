package policies

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"isolate.example.io/quarantine"
)

// door is a way to write a pod.
type door struct {
	write write
	// kind is what the API server does with metadata there.
	kind doorKind
	// adds is set where what is left out is not taken away.
	adds bool
	// verb and resource are what RBAC asks for.
	verb, resource string
}

type doorKind int

const (
	main   doorKind = iota // the webhook is asked
	apply                  // likewise; what the tests don't own can't be taken away
	status                 // labels and annotations are written, and no webhook can quarantine
	binds                  // labels and annotations are copied onto the pod
	closed                 // metadata is dropped
)

func doors(s *apiServer, t *testing.T) map[string]door {
	t.Helper()
	all := map[string]door{
		"PUT":                   {put, main, false, "update", "pods"},
		"merge patch":           {mergePatch, main, false, "patch", "pods"},
		"strategic merge patch": {strategicPatch, main, false, "patch", "pods"},
		"JSON patch":            {jsonPatch, main, false, "patch", "pods"},
		"server-side apply":     {applyMetadata, apply, false, "patch", "pods"},
		"status PUT":            {putStatus, status, false, "update", "pods/status"},
		"status patch":          {writeStatus, status, false, "patch", "pods/status"},
		"status apply":          {applyStatus, status, true, "patch", "pods/status"},
		"pods/binding":          {bind, binds, true, "create", "pods/binding"},
		"bindings":              {bindOldStyle, binds, true, "create", "bindings"},
	}
	for name, write := range s.subresources(t) {
		all[name] = door{write, closed, false, "update", name}
	}
	return all
}

// user is somebody who writes pods.
type user struct {
	client client.Client
	name   string
	may    func(d door) bool
	delete bool
}

// mayPatch is what a policy tool's role should have.
func mayPatch(d door) bool { return d.verb == "patch" && d.resource == "pods" }

func users(s *apiServer, t *testing.T) map[string]user {
	t.Helper()
	pods := []string{"pods", "pods/status", "pods/binding", "pods/ephemeralcontainers", "pods/resize", "bindings"}
	everything := s.addUser(t, "everything", "delete",
		rbacv1.PolicyRule{APIGroups: []string{""}, Resources: pods, Verbs: []string{"*"}})
	edits := s.addUser(t, "edits", "patch",
		rbacv1.PolicyRule{APIGroups: []string{""}, Resources: pods, Verbs: []string{"create", "get", "update", "patch"}})
	const tool = "system:serviceaccount:default:policy-tool"
	must(t, s.admin.Create(t.Context(), &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "policy-tool"}, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"get", "patch", "delete"}},
	}}))
	must(t, s.admin.Create(t.Context(), &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "policy-tool"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "policy-tool"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: "default", Name: "policy-tool"}},
	}))
	impersonated := rest.CopyConfig(s.env.Config)
	impersonated.Impersonate.UserName = tool
	nobody, err := s.env.AddUser(envtest.User{Name: "nobody"}, nil)
	must(t, err)
	return map[string]user{
		"everything":  {everything, "everything", func(door) bool { return true }, true},
		"edits":       {edits, "edits", func(door) bool { return true }, false},
		"policy tool": {newClient(t, impersonated), tool, mayPatch, true},
		"nobody":      {newClient(t, nobody.Config()), "nobody", func(door) bool { return false }, false},
	}
}

// attempt is one attack on one pod.
type attempt struct {
	door  door
	user  user
	state string
	features
}

// answer is what an attempt gets: a refusal, or one of the outcomes.
type answer struct {
	outcome string
	code    int32
	// cause is a machine-readable reason of ours, or a part of the policy's sentence.
	cause string
}

// Outcomes of a write that is not refused.
const (
	untouched   = "isolation as it was" // record, label and hold are what they were
	asAsked     = "as asked"            // what the request says, for it does no harm
	quarantined = "quarantined"
	released    = "released"
)

// rules are tried in this order; the first that applies gives the answer.
var rules = []struct {
	name    string
	applies func(a attempt) bool
	answer  answer
}{
	{"RBAC comes first", func(a attempt) bool { return !a.user.may(a.door) }, answer{code: 403, cause: "rbac"}},
	{"metadata is dropped", func(a attempt) bool { return a.door.kind == closed }, answer{outcome: untouched}},
	{"what is being deleted isn't bound", func(a attempt) bool { return a.door.kind == binds && a.state == "deleting" && !a.keys },
		answer{code: 409}},
	{"a Binding carries no key of isolate's", func(a attempt) bool { return a.door.kind == binds && a.keys },
		answer{code: 403, cause: "a Binding can't carry"}},
	{"a Binding", func(a attempt) bool { return a.door.kind == binds }, answer{outcome: untouched}},
	{"pods/status takes no key of isolate's", func(a attempt) bool { return a.door.kind == status && a.keys },
		answer{code: 403, cause: "can't be changed through pods/status"}},
	{"pods/status takes no label of a quarantined pod", func(a attempt) bool {
		return a.door.kind == status && a.labels && (a.state == "quarantined" || a.state == "held" || a.state == "damaged")
	}, answer{code: 403, cause: "is quarantined, so its labels can't be changed"}},
	{"pods/status", func(a attempt) bool { return a.door.kind == status }, answer{outcome: untouched}},

	{"an owner that the API server refuses first", func(a attempt) bool { return a.triggers && a.owner && !a.user.delete && a.state != "deleting" },
		answer{code: 403, cause: "cannot set an ownerRef"}},
	{"owners of a pod that is being deleted", func(a attempt) bool { return a.state == "deleting" && a.owner && !a.user.delete },
		answer{code: 403, cause: "cannot set an ownerRef"}},
	{"what is being deleted is left alone", func(a attempt) bool { return a.state == "deleting" }, answer{outcome: asAsked}},
	{"what schedules a deletion takes delete", func(a attempt) bool { return (a.triggers || a.withdrawsHold) && !a.user.delete },
		answer{code: 403, cause: "requires permission to delete it"}},
	{"a bad value", func(a attempt) bool { return a.invalid }, answer{code: 422, cause: "FieldValueInvalid"}},
	{"a release", func(a attempt) bool { return a.releases }, answer{outcome: released}},
	{"a record by hand", func(a attempt) bool { return a.record && (a.state != "free" || !a.triggers) },
		answer{code: 403, cause: string(quarantine.ReasonRecordProtected)}},
	{"an owner beside the trigger", func(a attempt) bool { return a.triggers && a.owner }, answer{code: 422, cause: "FieldValueInvalid"}},
	{"the trigger", func(a attempt) bool { return a.triggers }, answer{outcome: quarantined}},
	{"labels that are selected", func(a attempt) bool { return a.selected && (a.state == "quarantined" || a.state == "held") },
		answer{code: 403, cause: string(quarantine.ReasonReselected)}},
	{"an owner", func(a attempt) bool { return a.owner && (a.state == "quarantined" || a.state == "held") },
		answer{code: 403, cause: string(quarantine.ReasonOwnerAdded)}},
	{"an owner of another's pod", func(a attempt) bool { return a.owner && !a.user.delete }, answer{code: 403, cause: "cannot set an ownerRef"}},
	{"anything else", func(attempt) bool { return true }, answer{outcome: untouched}},
}

// Every way to write a pod, by every kind of user, in every state, is tried to do
// what only isolate may do.
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

// try tries all attacks by all doors on pods of a state. A pod that was not changed
// is tried again.
func (m *matrix) try(t *testing.T, state string, u user) {
	var pod *corev1.Pod
	for _, name := range slices.Sorted(maps.Keys(m.doors)) {
		for _, attack := range slices.Sorted(maps.Keys(attacks)) {
			if pod == nil {
				pod = m.states[state]()
			}
			a := attempt{door: m.doors[name], user: u, state: state}
			before := pod
			if a.door.kind == binds { // what a Binding carries is all there is
				before = &corev1.Pod{}
			}
			after := before.DeepCopy()
			attacks[attack](after)
			if a.door.adds {
				after.Labels, after.Annotations = merged(before.Labels, after.Labels), merged(before.Annotations, after.Annotations)
			}
			a.features = featuresOf(before, after)
			few := a.door.kind == closed || !u.may(a.door)
			if a.door.kind == apply && a.removes || few && !slices.Contains(worst, attack) {
				continue
			}
			pod = m.tryOne(t, name+": "+attack, a, pod, attacks[attack])
		}
	}
}

// tryOne returns the pod if it is as it was.
func (m *matrix) tryOne(t *testing.T, name string, a attempt, pod *corev1.Pod, attack change) *corev1.Pod {
	t.Helper()
	m.tried.Add(1)
	want := expected(a)
	clients := []client.Client{a.user.client}
	if a.door.kind == main {
		clients = []client.Client{client.NewDryRunClient(a.user.client), a.user.client}
	}
	for _, c := range clients {
		err := a.door.write(t.Context(), c, pod.DeepCopy(), attack)
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
	if a.door.kind == binds {
		m.server.remove(t, stored)
	}
	return nil
}

func expected(a attempt) answer {
	for _, rule := range rules {
		if rule.applies(a) {
			return rule.answer
		}
	}
	return answer{}
}

// differs says how the API server's answer differs from this one.
func (want answer) differs(err error) string {
	if want.outcome != "" {
		if err != nil {
			return "refused: " + err.Error()
		}
		return ""
	}
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return "not refused, want " + want.cause
	}
	got := status.Status()
	if got.Code != want.code {
		return "refused otherwise: " + got.Message
	}
	if want.cause == "rbac" || want.code == 409 || strings.HasPrefix(want.cause, "cannot set") {
		return ""
	}
	if got.Details == nil || len(got.Details.Causes) == 0 {
		return "a refusal without a cause: " + got.Message
	}
	for _, cause := range got.Details.Causes {
		if string(cause.Type) == want.cause || strings.Contains(cause.Message, want.cause) {
			return ""
		}
	}
	return "refused for something else: " + got.Message
}

// violated says what is wrong with the pod that is stored.
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
	case untouched:
		for _, key := range recordKeys {
			if before.Annotations[key] != stored.Annotations[key] {
				return key + " changed"
			}
		}
		if before.Labels[quarantine.QuarantinedLabel] != stored.Labels[quarantine.QuarantinedLabel] {
			return "the label changed"
		}
		// A policy can't tell to which pod a Binding brings labels, and schedulers may
		// set some: that such a pod is taken out again is the leak guard's.
		if stored.Labels[quarantine.QuarantinedLabel] != "" && a.state != "damaged" && a.door.kind != binds && stored.Labels["app"] == "web" {
			return "a Service selects it"
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

// nothingIsHalfDone looks at all pods there are.
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
