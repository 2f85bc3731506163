package alertreceiver

import (
	"time"

	"github.com/prometheus/common/model"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// maxUIDLength bounds a UID. The API server's have 36 characters.
const maxUIDLength = 64

// target is the pod that an alert names, and what its quarantine says.
type target struct {
	// pod is empty unless the alert names a pod in an allowed namespace.
	pod client.ObjectKey

	// uid is the pod's UID, or "" if the alert doesn't have it.
	uid types.UID

	// alert and fingerprint identify the alert, and startsAt is when it began to fire.
	alert, fingerprint string
	startsAt           time.Time

	// ttl and reason are annotations of the alert, or "".
	ttl, reason string
}

// target returns what a firing alert asks for, or why it is refused. The target of a refused
// alert has what was valid.
func (c *Config) target(a alert) (target, *refusal) {
	t := target{
		alert: a.Labels[model.AlertNameLabel], fingerprint: a.Fingerprint, startsAt: a.StartsAt,
		ttl: a.Annotations[c.TTLAnnotation], reason: a.Annotations[c.ReasonAnnotation],
	}
	if a.Status != statusFiring || !validFingerprint(a.Fingerprint) || a.StartsAt.IsZero() {
		return t, permanent(ReasonMalformedAlert, messageMalformedAlert(a))
	}
	namespace, pod, uid := a.Labels[c.NamespaceLabel], a.Labels[c.PodLabel], a.Labels[c.UIDLabel]
	if problems := validation.IsDNS1123Label(namespace); len(problems) > 0 {
		return t, permanent(ReasonInvalidNamespace, messageInvalidLabel(c.NamespaceLabel, namespace, kindNamespace))
	}
	if !c.Namespaces.Has(namespace) {
		return t, permanent(ReasonNamespaceNotAllowed, messageNamespaceNotAllowed(namespace))
	}
	if problems := validation.IsDNS1123Subdomain(pod); len(problems) > 0 {
		return t, permanent(ReasonInvalidPod, messageInvalidLabel(c.PodLabel, pod, kindPod))
	}
	t.pod = client.ObjectKey{Namespace: namespace, Name: pod}
	if len(uid) > maxUIDLength || uid != "" && len(validation.IsDNS1123Subdomain(uid)) > 0 {
		return t, permanent(ReasonInvalidUID, messageInvalidLabel(c.UIDLabel, uid, kindUID))
	}
	t.uid = types.UID(uid)
	if !c.Alerts.Has(t.alert) {
		return t, permanent(ReasonAlertNotAllowed, messageAlertNotAllowed(t.alert))
	}
	return t, nil
}

// validFingerprint reports whether Alertmanager could have formatted it.
func validFingerprint(s string) bool {
	parsed, err := model.ParseFingerprint(s)
	return err == nil && parsed.String() == s
}
