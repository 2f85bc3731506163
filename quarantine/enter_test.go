package quarantine

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/labels"
)

func TestQuarantineDetachesThePod(t *testing.T) {
	config := DefaultConfig()
	req := update(incident(), pod(), trigger)
	stored := apply(t, req.New, config.Decide(req))

	wantLabels := map[string]string{
		"component":         "quarantined-api-springboot",
		"release":           "quarantined-login-audit-trail-service",
		"pod-template-hash": "quarantined-5d4f8",
		QuarantinedLabel:    "true",
	}
	if diff := cmp.Diff(wantLabels, stored.Labels); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
	wantAnnotations := map[string]string{
		TriggerKey:       "true",
		QuarantinedAtKey: "2026-03-14T15:09:26Z",
		ExpiresAtKey:     "2026-03-15T15:09:27Z",
		QuarantinedByKey: "jane",
		KarpenterHint:    "true",
		AutoscalerHint:   "false",
		RecordKey: `{"labels":{"component":"api-springboot","pod-template-hash":"5d4f8","release":"login-audit-trail-service"},` +
			`"ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"login-audit-trail-service-5d4f8",` +
			`"uid":"uid-login-audit-trail-service-5d4f8","controller":true,"blockOwnerDeletion":true}],` +
			`"annotations":{"cluster-autoscaler.kubernetes.io/safe-to-evict":null,"karpenter.sh/do-not-disrupt":null},` +
			`"rewritten":{"component":"quarantined-api-springboot","pod-template-hash":"quarantined-5d4f8","release":"quarantined-login-audit-trail-service"},"controller":{"kind":"Deployment.apps","name":"login-audit-trail-service","uid":"uid-deployment"},` +
			`"detachedFrom":["Service/login-audit-trail-service","Service/metrics","ReplicaSet/login-audit-trail-service-5d4f8"]}`,
	}
	if diff := cmp.Diff(wantAnnotations, stored.Annotations); diff != "" {
		t.Errorf("annotations (-want +got):\n%s", diff)
	}
	if len(stored.OwnerReferences) != 0 {
		t.Errorf("ownerReferences = %v, want none", stored.OwnerReferences)
	}
}

func TestQuarantineWarnings(t *testing.T) {
	config := DefaultConfig()
	tests := []struct {
		name string
		req  Request
		want []string
	}{
		{
			name: "a Deployment's pod",
			req:  update(incident(), pod(), trigger),
			want: []string{
				"Detaches the pod from Service/login-audit-trail-service, Service/metrics and ReplicaSet/login-audit-trail-service-5d4f8.",
				"ReplicaSet/login-audit-trail-service-5d4f8 should start a replacement.",
				"Schedules its deletion for 2026-03-15T15:09:27Z, in 1d; isolate.example.io/hold=true keeps it.",
				"To release it: kubectl annotate pod -n ah login-audit-trail-service-5d4f8-x2x isolate.example.io/quarantine-",
				"Existing connections stay open.",
			},
		},
		{
			name: "a held pod without a controller, with a ttl",
			req: update(namespace{}, pod(withoutOwner()), trigger, annotation(TTLKey, "1d12h"),
				annotation(HoldKey, "true")),
			want: []string{
				"Quarantines the pod. Nothing selects it.",
				"No controller owns this pod, so no replacement starts.",
				"Holds the pod: isolate deletes it only after 2026-03-16T03:09:27Z, once the hold is removed.",
				"To release it: kubectl annotate pod -n ah login-audit-trail-service-5d4f8-x2x isolate.example.io/quarantine-",
			},
		},
		{
			name: "a PodDisruptionBudget that selects all pods, and a ReplicaSet that isolate has not seen",
			req:  update(namespace{selects(KindPodDisruptionBudget, "all", labels.Requirements{}...)}, pod(), trigger),
			want: []string{
				"Detaches the pod from ReplicaSet/login-audit-trail-service-5d4f8.",
				"ReplicaSet/login-audit-trail-service-5d4f8 is not known to isolate: check whether it starts a replacement.",
				"Schedules its deletion for 2026-03-15T15:09:27Z, in 1d; isolate.example.io/hold=true keeps it.",
				"To release it: kubectl annotate pod -n ah login-audit-trail-service-5d4f8-x2x isolate.example.io/quarantine-",
				"PodDisruptionBudget/all still counts this pod as healthy: no label change makes its selector stop matching.",
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, config.Decide(tt.req).Warnings); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWarningsAreBounded(t *testing.T) {
	config := DefaultConfig()
	long := strings.Repeat("x", 253)
	named := func(m *Metadata) {
		m.Name, m.Namespace = long, long[:63]
		m.OwnerReferences[0].Name = long
	}
	services := namespace{selects(KindReplicaSet, long, exists("release"))}
	for _, name := range []string{"a", "b", "c", long} {
		services = append(services, selects(KindService, name+long[:40], exists("release")))
	}
	decision := config.Decide(update(services, pod(named), trigger))
	if n := len(decision.Warnings); n == 0 || n > 8 {
		t.Fatalf("%d warnings, want 1 to 8: %q", n, decision.Warnings)
	}
	for _, warning := range decision.Warnings {
		most := maxWarning
		if strings.Contains(warning, "kubectl") {
			most = maxCommand
		}
		if n := utf8.RuneCountInString(warning); n > most {
			t.Errorf("a warning of %d characters, want at most %d: %s", n, most, warning)
		}
	}
}

// A warning has the complete command or none.
func TestReleaseCommandIsComplete(t *testing.T) {
	config := DefaultConfig()
	name, inNamespace := strings.Repeat("n", 100), strings.Repeat("s", 63)
	named := func(n string) func(*Metadata) {
		return func(m *Metadata) { m.Name, m.Namespace = n, inNamespace }
	}
	for n, want := range map[string]string{
		name:                     "To release it: kubectl annotate pod -n " + inNamespace + " " + name + " isolate.example.io/quarantine-",
		strings.Repeat("n", 253): "To release it, remove its annotation isolate.example.io/quarantine.",
	} {
		if got := config.Decide(update(incident(), pod(named(n)), trigger)).Warnings[3]; got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestTTL(t *testing.T) {
	config := DefaultConfig()
	tests := []struct {
		name    string
		changes []func(*Metadata)
		want    string
	}{
		{"the default", nil, "2026-03-15T15:09:27Z"},
		{"in the same request", []func(*Metadata){annotation(TTLKey, "90s")}, "2026-03-14T15:10:57Z"},
		{"days and hours", []func(*Metadata){annotation(TTLKey, "1d12h")}, "2026-03-16T03:09:27Z"},
		{"extended in the same request", []func(*Metadata){annotation(TTLKey, "1h"), annotation(ExtendKey, "2h")}, "2026-03-14T17:09:27Z"},
		{"an extension never shortens", []func(*Metadata){annotation(TTLKey, "2h"), annotation(ExtendKey, "1h")}, "2026-03-14T17:09:27Z"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			req := update(incident(), pod(), append(tt.changes, trigger)...)
			stored := apply(t, req.New, config.Decide(req))
			if got := stored.Annotations[ExpiresAtKey]; got != tt.want {
				t.Errorf("expires at %s, want %s", got, tt.want)
			}
			if _, ok := stored.Annotations[ExtendKey]; ok {
				t.Errorf("%s is still there", ExtendKey)
			}
		})
	}
	t.Run("an invalid ttl from before isolate was installed is ignored", func(t *testing.T) {
		req := update(incident(), pod(annotation(TTLKey, "soon")), trigger)
		stored := apply(t, req.New, config.Decide(req))
		if got, want := stored.Annotations[ExpiresAtKey], "2026-03-15T15:09:27Z"; got != want {
			t.Errorf("expires at %s, want %s", got, want)
		}
	})
}

// The pod's template may allow its eviction. A Deployment replaces an evicted pod, but the
// evidence is lost.
func TestHintsOfTheTemplateAreOverriddenAndRestored(t *testing.T) {
	config := DefaultConfig()
	before := pod(annotation(KarpenterHint, "false"), annotation(AutoscalerHint, "true"), annotation(ArgoTrackingKey, "shop:Pod:ah/x"))
	req := update(incident(), before, trigger)
	decision := config.Decide(req)
	stored := apply(t, req.New, decision)
	if stored.Annotations[KarpenterHint] != "true" || stored.Annotations[AutoscalerHint] != "false" {
		t.Errorf("an autoscaler may evict the pod: %v", stored.Annotations)
	}
	if _, ok := stored.Annotations[ArgoTrackingKey]; ok {
		t.Errorf("%s is still there: Argo CD could prune the pod", ArgoTrackingKey)
	}
	for _, key := range []string{AutoscalerHint, KarpenterHint} {
		if want := "Overrides " + key + " of the pod, which asks for its eviction, until it is released."; !slices.Contains(decision.Warnings, want) {
			t.Errorf("%q lacks %q", decision.Warnings, want)
		}
	}
	want := map[string]*string{ArgoTrackingKey: new("shop:Pod:ah/x"), KarpenterHint: new("false"), AutoscalerHint: new("true")}
	if diff := cmp.Diff(want, StatusOf(stored.Labels, stored.Annotations).Record.Annotations); diff != "" {
		t.Errorf("recorded annotations (-want +got):\n%s", diff)
	}
	release := update(incident(), &Pod{Metadata: *stored, Status: before.Status}, without(TriggerKey))
	released := apply(t, release.New, config.Decide(release))
	if diff := cmp.Diff(before.Annotations, released.Annotations); diff != "" {
		t.Errorf("annotations of the released pod (-want +got):\n%s", diff)
	}
}

func TestHintsThatProtectThePodStay(t *testing.T) {
	config := DefaultConfig()
	before := pod(annotation(KarpenterHint, "true"), annotation(AutoscalerHint, "false"))
	req := update(incident(), before, trigger)
	stored := apply(t, req.New, config.Decide(req))
	if got := StatusOf(stored.Labels, stored.Annotations).Record.Annotations; len(got) > 0 {
		t.Errorf("recorded annotations: %v", got)
	}
	release := update(incident(), &Pod{Metadata: *stored, Status: before.Status}, without(TriggerKey))
	released := apply(t, release.New, config.Decide(release))
	if diff := cmp.Diff(before.Annotations, released.Annotations); diff != "" {
		t.Errorf("annotations of the released pod (-want +got):\n%s", diff)
	}
}

// controller sets the pod's controller, and removes its other owners.
func controller(apiVersion, kind, name string) func(*Metadata) {
	return func(m *Metadata) {
		m.OwnerReferences = nil
		owner(apiVersion, kind, name)(m)
		m.OwnerReferences[0].Controller = new(true)
	}
}
