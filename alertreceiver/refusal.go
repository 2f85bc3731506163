package alertreceiver

import (
	"errors"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"isolate.example.io/quarantine"
)

// Reason is why a request or an alert is refused. The answer, the log, the metric and the
// event have the same word. A refusal by isolate's webhook keeps isolate's reason.
type Reason string

// Reasons to refuse a request.
const (
	// ReasonUnauthorized: the request has no valid token.
	ReasonUnauthorized Reason = "Unauthorized"
	// ReasonTooLarge: the body or the number of alerts exceeds its bound.
	ReasonTooLarge Reason = "TooLarge"
	// ReasonMalformed: the body is not in Alertmanager's format, version 4.
	ReasonMalformed Reason = "Malformed"
	// ReasonTruncated: Alertmanager left alerts out, by max_alerts of its configuration.
	ReasonTruncated Reason = "Truncated"
	// ReasonOverloaded: too much is under way.
	ReasonOverloaded Reason = "Overloaded"
)

// Reasons to refuse an alert.
const (
	// ReasonMalformedAlert: the alert has no valid status, fingerprint or start time.
	ReasonMalformedAlert Reason = "MalformedAlert"
	// ReasonInvalidNamespace, ReasonInvalidPod and ReasonInvalidUID: the label is missing or
	// is not such a name.
	ReasonInvalidNamespace Reason = "InvalidNamespace"
	ReasonInvalidPod       Reason = "InvalidPod"
	ReasonInvalidUID       Reason = "InvalidUID"
	// ReasonNamespaceNotAllowed and ReasonAlertNotAllowed: the flags don't list it.
	ReasonNamespaceNotAllowed Reason = "NamespaceNotAllowed"
	ReasonAlertNotAllowed     Reason = "AlertNotAllowed"
	// ReasonPodNotFound: there is no such pod.
	ReasonPodNotFound Reason = "PodNotFound"
	// ReasonPodReplaced: the pod with this name has another UID than the alert's.
	ReasonPodReplaced Reason = "PodReplaced"
	// ReasonTriggerIgnored: the pod has the trigger from before isolate was installed.
	ReasonTriggerIgnored Reason = "TriggerIgnored"
	// ReasonNotQuarantined: the API server stored the trigger, and isolate did not see it.
	ReasonNotQuarantined Reason = "NotQuarantined"
	// ReasonForbidden: the ServiceAccount lacks a permission, or a policy denies the write.
	ReasonForbidden Reason = "Forbidden"
	// ReasonRejected: the API server does not accept the write for another reason.
	ReasonRejected Reason = "Rejected"
	// ReasonConflict: the pod kept changing.
	ReasonConflict Reason = "Conflict"
	// ReasonUnavailable: the API server or isolate's webhook did not answer, or could not
	// decide.
	ReasonUnavailable Reason = "Unavailable"
)

// Reasons returns all reasons: those of the receiver, and those for which isolate's webhook
// refuses a quarantine.
func Reasons() []Reason {
	all := []Reason{
		ReasonUnauthorized, ReasonTooLarge, ReasonMalformed, ReasonTruncated, ReasonOverloaded,
		ReasonMalformedAlert, ReasonInvalidNamespace, ReasonInvalidPod, ReasonInvalidUID,
		ReasonNamespaceNotAllowed, ReasonAlertNotAllowed, ReasonPodNotFound, ReasonPodReplaced,
		ReasonTriggerIgnored, ReasonNotQuarantined, ReasonForbidden, ReasonRejected, ReasonConflict, ReasonUnavailable,
	}
	for _, refusal := range quarantine.Refusals() {
		all = append(all, Reason(refusal.Reason))
	}
	return all
}

// refusal is why nothing was done.
type refusal struct {
	reason  Reason
	message string

	// code is the answer to Alertmanager: 5xx if retrying can help, else 4xx.
	code int
}

// permanent returns the refusal of an alert for which retrying can't help.
func permanent(reason Reason, message string) *refusal {
	return &refusal{reason, message, http.StatusUnprocessableEntity}
}

// temporary returns a refusal for which retrying can help.
func temporary(reason Reason, message string) *refusal {
	return &refusal{reason, message, http.StatusServiceUnavailable}
}

// refusedBy returns the refusal that follows from an error of the API server.
func refusedBy(err error) *refusal {
	status := apierrors.APIStatus(nil)
	if !errors.As(err, &status) { // The API server did not answer.
		return temporary(ReasonUnavailable, err.Error())
	}
	message := status.Status().Message
	switch code := status.Status().Code; {
	case apierrors.IsNotFound(err):
		return permanent(ReasonPodNotFound, message)
	case apierrors.IsConflict(err):
		return temporary(ReasonConflict, message)
	case code == http.StatusUnauthorized, code == http.StatusTooManyRequests, code >= http.StatusInternalServerError:
		return temporary(ReasonUnavailable, message)
	case denialReason(err) != "":
		return permanent(denialReason(err), message)
	case apierrors.IsInvalid(err):
		return permanent(Reason(quarantine.ReasonInvalidValue), message)
	case apierrors.IsForbidden(err):
		return permanent(ReasonForbidden, message)
	}
	return permanent(ReasonRejected, message)
}

// denialReason returns the reason of a refusal by isolate's webhook, or "".
func denialReason(err error) Reason {
	for _, known := range quarantine.Refusals() {
		if apierrors.HasStatusCause(err, metav1.CauseType(known.Reason)) {
			return Reason(known.Reason)
		}
	}
	return ""
}
