package quarantine

import (
	"time"

	"gomodules.xyz/jsonpatch/v2"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Request is the admission of a pod, with all that a decision rests on.
type Request struct {
	// Old is the pod as it is stored, nil when it is being created. No requester
	// can forge it: what is recorded and what is warned of comes from here.
	Old *Pod

	// New is what the requester, and the webhooks before us, would have stored.
	New *Metadata

	// User is the name of who asks.
	User string

	// Time is when the decision is made.
	Time time.Time

	// Selectors are those of the pod's namespace.
	Selectors Selectors

	// Settings are the annotations of the pod's Namespace.
	NamespaceConfig map[string]string

	// Quarantined counts the quarantined pods of the namespace. It is looked at only
	// where the request is [Request.Triggered].
	Quarantined Count
}

// Triggered reports whether the trigger turns "true" in this very request, on a pod
// that exists and is to stay.
func (q *Request) Triggered() bool {
	return q.Old != nil && q.Old.DeletionTimestamp == nil && triggered(*q)
}

// Decision is the answer to a [Request].
type Decision struct {
	// Action says what the admission does to the pod.
	Action Action

	// Denial says why the request is refused; nil when it is allowed.
	Denial *Denial

	// Warnings are for the person who asks, the important first.
	Warnings []string

	// Patch changes metadata, and nothing else.
	Patch []jsonpatch.Operation

	// DetachedFrom names what selected or controlled the pod and no longer does.
	DetachedFrom []string

	// CountsFor is the controller for whose budget the pod counts once it is
	// quarantined, empty if there is none.
	CountsFor types.UID
}

// Action is what an admission does, in the log, the metrics and the audit log.
type Action string

// The actions.
const (
	// ActionNone leaves the pod as it was asked for.
	ActionNone Action = "None"
	// ActionQuarantine takes the pod out.
	ActionQuarantine Action = "Quarantine"
	// ActionDetach takes a quarantined pod out again, of what has come to select it.
	ActionDetach Action = "Detach"
	// ActionExtend moves the time at which a quarantined pod is deleted.
	ActionExtend Action = "Extend"
	// ActionRelease ends a quarantine.
	ActionRelease Action = "Release"
	// ActionDropAnnotations removes requests that this pod can't be asked for.
	ActionDropAnnotations Action = "DropAnnotations"
	// ActionDeny refuses the request.
	ActionDeny Action = "Deny"
)

// Reason says why a request is refused; the same in the denial, the log, the
// metrics and the audit log.
type Reason string

// The reasons.
const (
	// ReasonInvalidValue: a request key was given a value that it does not take.
	ReasonInvalidValue Reason = "InvalidValue"
	// ReasonCreatedQuarantined: a pod can't be created with the label.
	ReasonCreatedQuarantined Reason = "CreatedQuarantined"
	// ReasonLabelConflict: the request itself changes a label that has to be rewritten.
	ReasonLabelConflict Reason = "LabelConflict"
	// ReasonOwnerConflict: the request itself adds an ownerReference.
	ReasonOwnerConflict Reason = "OwnerConflict"
	// ReasonInescapable: a selector matches whatever the labels are.
	ReasonInescapable Reason = "Inescapable"
	// ReasonRecordProtected: only isolate writes the record.
	ReasonRecordProtected Reason = "RecordProtected"
	// ReasonReselected: the request changes labels so that a selector matches a quarantined pod.
	ReasonReselected Reason = "Reselected"
	// ReasonOwnerAdded: the request gives a quarantined pod an owner.
	ReasonOwnerAdded Reason = "OwnerAdded"
	// ReasonHeld: the release would have a held pod deleted.
	ReasonHeld Reason = "Held"
	// ReasonMirrorPod: the kubelet runs a static pod whatever the API server says.
	ReasonMirrorPod Reason = "MirrorPod"
	// ReasonStatefulSet: the pod's name stays taken, so no replacement can start.
	ReasonStatefulSet Reason = "StatefulSet"
	// ReasonHostPort: the replacement can't start beside a pod that has its port.
	ReasonHostPort Reason = "HostPort"
	// ReasonControllerBudget: as many pods of the controller are quarantined as may be.
	ReasonControllerBudget Reason = "ControllerBudget"
	// ReasonNamespaceBudget: as many pods of the namespace are quarantined as may be.
	ReasonNamespaceBudget Reason = "NamespaceBudget"
	// ReasonUnknownController: nobody knows what the controller does without the pod.
	ReasonUnknownController Reason = "UnknownController"
)

// Denial is a refusal. It is a 422 where Invalid says which fields to write
// differently, else a 403.
type Denial struct {
	Reason  Reason
	Message string
	Invalid field.ErrorList

	// Field is what a 403 is about, as a path.
	Field string
}

func denied(denial *Denial) Decision { return Decision{Action: ActionDeny, Denial: denial} }

func invalid(reason Reason, errs ...*field.Error) Decision {
	return denied(&Denial{Reason: reason, Invalid: errs})
}

func forbidden(reason Reason, path *field.Path, message string) Decision {
	return denied(&Denial{Reason: reason, Message: message, Field: path.String()})
}

var metadataPath = field.NewPath("metadata")

func annotationPath(key string) *field.Path { return metadataPath.Child("annotations").Key(key) }

func labelPath(key string) *field.Path { return metadataPath.Child("labels").Key(key) }
