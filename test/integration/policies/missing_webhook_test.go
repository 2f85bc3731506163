package policies

import (
	"testing"

	"gomodules.xyz/jsonpatch/v2"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"isolate.example.io/quarantine"
)

// The policies are installed, but the webhook configuration is missing.
func TestWebhookConfigurationMissing(t *testing.T) {
	s := startAPIServer(t)
	record := all(dropOwners, setLabel, trigger, hold, forgedRecord)
	held := s.create(t, newPod("default", record))
	labelled := s.create(t, newPod("default", setLabel))
	s.install(t, nil)
	t.Run("a quarantined pod", func(t *testing.T) { onQuarantinedPod(t, s, held, labelled) })
	for way, write := range ways {
		t.Run("quarantine by "+way, func(t *testing.T) {
			pod := s.free(t)
			needsDelete(pod).expect(t, write(t.Context(), s.editor, pod.DeepCopy(), trigger))
			notSeen(pod).expect(t, write(t.Context(), client.NewDryRunClient(s.owner), pod.DeepCopy(), trigger))
			notSeen(pod).expect(t, write(t.Context(), s.owner, pod.DeepCopy(), trigger))
			if stored := s.read(t, pod); stored.ResourceVersion != pod.ResourceVersion {
				t.Error("the pod was changed")
			}
		})
	}
	t.Run("the label", func(t *testing.T) {
		forged := all(setLabel, annotate(quarantine.ExpiresAtKey, "2000-01-01T00:00:00Z"))
		labelReserved(nil).expect(t, s.owner.Create(t.Context(), newPod("default", forged)))
		labelReserved(nil).expect(t, s.owner.Create(t.Context(), newPod("default", forged, trigger)))
		labelReserved(nil).expect(t, mergePatch(t.Context(), s.owner, s.free(t), forged))
		pod := s.free(t)
		notSeen(pod).expect(t, mergePatch(t.Context(), s.owner, pod.DeepCopy(), trigger, label(quarantine.QuarantinedLabel, "false")))
		needsDelete(pod).expect(t, mergePatch(t.Context(), s.editor, pod.DeepCopy(), trigger, forged))
	})
	t.Run("the record of a free pod", func(t *testing.T) {
		for _, key := range recordKeys {
			pod := s.free(t)
			recordReserved(pod).expect(t, mergePatch(t.Context(), s.owner, pod.DeepCopy(), annotate(key, longAgo)))
		}
	})
	t.Run("nothing else is refused", func(t *testing.T) {
		must(t, s.editor.Create(t.Context(), newPod("default")))
		pod := newPod("default", trigger)
		must(t, s.editor.Create(t.Context(), pod))
		must(t, mergePatch(t.Context(), s.editor, pod, label("app", "api"), newImage))
		must(t, mergePatch(t.Context(), s.editor, pod, release))
		must(t, mergePatch(t.Context(), s.editor, s.deleting(t), trigger, setLabel))
	})
}

// The pods were quarantined before the configuration was deleted.
func onQuarantinedPod(t *testing.T, s *apiServer, held, labelled *corev1.Pod) {
	for name, c := range map[string]struct {
		change change
		want   func(*corev1.Pod) refusal
	}{
		"trigger and hold taken away":     {all(release, dropAnnotation(quarantine.HoldKey)), notReleased},
		"trigger turned false":            {annotate(quarantine.TriggerKey, quarantine.False), notReleased},
		"the label taken away":            {dropLabel, notReleased},
		"the label turned false":          {label(quarantine.QuarantinedLabel, quarantine.False), recordReserved},
		"an earlier end":                  {annotate(quarantine.ExpiresAtKey, "1999-01-01T00:00:00Z"), recordReserved},
		"an end that is no time":          {annotate(quarantine.ExpiresAtKey, "~"), recordReserved},
		"an end in another format":        {annotate(quarantine.ExpiresAtKey, "2030-01-01T00:00:00+12:00"), recordReserved},
		"no end":                          {dropAnnotation(quarantine.ExpiresAtKey), recordReserved},
		"another beginning":               {annotate(quarantine.QuarantinedAtKey, "1999-01-01T00:00:00Z"), recordReserved},
		"another requester":               {annotate(quarantine.QuarantinedByKey, "nobody"), recordReserved},
		"no record":                       {dropAnnotation(quarantine.RecordKey), recordReserved},
		"the hold withdrawn, by an owner": {all(dropAnnotation(quarantine.HoldKey), annotate(quarantine.ExpiresAtKey, "1999-01-01T00:00:00Z")), recordReserved},
	} {
		for way, write := range ways {
			if way == "server-side apply" { // it can't remove fields of other managers
				continue
			}
			t.Run(name+" by "+way, func(t *testing.T) {
				c.want(held).expect(t, write(t.Context(), s.owner, held.DeepCopy(), c.change))
			})
		}
	}
	t.Run("a record completed on a pod that had only the label", func(t *testing.T) {
		for _, key := range recordKeys {
			recordReserved(labelled).expect(t, mergePatch(t.Context(), s.editor, labelled.DeepCopy(), annotate(key, longAgo)))
		}
		needsDelete(labelled).expect(t, mergePatch(t.Context(), s.editor, labelled.DeepCopy(), trigger, forgedRecord))
	})
	t.Run("what goes on", func(t *testing.T) {
		must(t, mergePatch(t.Context(), s.editor, held.DeepCopy(), finalize))
		must(t, mergePatch(t.Context(), s.editor, s.read(t, held), func(pod *corev1.Pod) { pod.Finalizers = nil }))
		must(t, mergePatch(t.Context(), s.editor, s.read(t, held), annotate("example.com/x", "y")))
		must(t, writeStatus(t.Context(), s.editor, s.read(t, held), becomeReady))
		must(t, mergePatch(t.Context(), s.owner, s.read(t, held), all(wipe)))
		must(t, mergePatch(t.Context(), s.editor, s.read(t, labelled), dropLabel))
	})
}

// misfires is the annotation of pods that the later webhook quarantines.
const misfires = "example.com/misfires"

// A webhook that runs after isolate's sets the trigger in a write that didn't call
// isolate's. The API server then doesn't call isolate's webhook at all.
func TestLaterWebhookSetsTheTrigger(t *testing.T) {
	s := startAPIServer(t)
	ours := startFakeWebhook(t)
	s.install(t, ours)
	later := startWebhook(t, func(_, after *corev1.Pod) []jsonpatch.Operation {
		if _, ok := after.Annotations[misfires]; !ok || after.Annotations[quarantine.TriggerKey] == quarantine.True {
			return nil
		}
		return []jsonpatch.Operation{jsonpatch.NewOperation("add", "/metadata/annotations/isolate.example.io~1quarantine", "true")}
	})
	must(t, s.admin.Create(t.Context(), laterConfiguration(later)))
	s.waitForWebhook(t, later)

	t.Run("on a pod whose writer may not delete it", func(t *testing.T) {
		pod := s.free(t)
		needsDelete(pod).expect(t, mergePatch(t.Context(), s.editor, pod.DeepCopy(), annotate(misfires, "")))
	})
	t.Run("unseen", func(t *testing.T) {
		pod := s.free(t)
		wantNotCalled(t, ours, func() error {
			notSeen(pod).expect(t, mergePatch(t.Context(), s.owner, pod.DeepCopy(), annotate(misfires, "")))
			return nil
		})
	})
	t.Run("seen when asked again", func(t *testing.T) {
		pod := s.free(t)
		must(t, mergePatch(t.Context(), s.owner, pod, annotate(misfires, ""), annotate(quarantine.ReasonKey, "it leaks")))
		if pod.Labels[quarantine.QuarantinedLabel] != quarantine.QuarantinedValue {
			t.Error("the pod has the trigger and is not quarantined")
		}
	})
	t.Run("on a new pod, where it does nothing", func(t *testing.T) {
		must(t, s.editor.Create(t.Context(), newPod("default", annotate(misfires, ""))))
	})
}

func laterConfiguration(webhook *fakeWebhook) *admissionregistrationv1.MutatingWebhookConfiguration {
	return &admissionregistrationv1.MutatingWebhookConfiguration{
		// The API server calls configurations in the order of their names.
		ObjectMeta: metav1.ObjectMeta{Name: "later"},
		Webhooks: []admissionregistrationv1.MutatingWebhook{{
			Name:                    "later.example.com",
			AdmissionReviewVersions: []string{"v1"},
			SideEffects:             ptr.To(admissionregistrationv1.SideEffectClassNone),
			ClientConfig:            webhook.clientConfig("/"),
			Rules: []admissionregistrationv1.RuleWithOperations{{
				Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create, admissionregistrationv1.Update},
				Rule:       admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"}},
			}},
		}},
	}
}
