package policies

import (
	"errors"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"isolate.example.io/quarantine"
)

// answer is the expected response to an attempt: a denial, or one of the results.
type answer struct {
	outcome string
	code    int32
	// cause is isolate's machine-readable reason, or a part of the policy's message.
	cause string
}

// Results of a write that is allowed.
const (
	untouched   = "isolation unchanged" // record and label are what they were
	detached    = "detached again"      // the same, and the pod has no owner
	asAsked     = "as requested"        // harmless
	quarantined = "quarantined"
	released    = "released"
)

// rules are tried in order; the first that applies gives the answer.
var rules = []struct {
	name    string
	applies func(a attempt) bool
	answer  answer
}{
	{"RBAC comes first", func(a attempt) bool { return !a.user.may(a.path) }, answer{code: 403, cause: "rbac"}},
	{"metadata is dropped", func(a attempt) bool { return a.path.kind == dropped }, answer{outcome: untouched}},
	{"what is being deleted isn't bound", func(a attempt) bool { return a.path.kind == binds && a.state == "deleting" && !a.keys },
		answer{code: 409}},
	{"a Binding carries no key of isolate's", func(a attempt) bool { return a.path.kind == binds && a.keys },
		answer{code: 403, cause: "a Binding can't carry"}},
	{"a Binding", func(a attempt) bool { return a.path.kind == binds }, answer{outcome: untouched}},
	{"pods/status takes no key of isolate's", func(a attempt) bool { return a.path.kind == status && a.keys },
		answer{code: 403, cause: "can't be changed through pods/status"}},
	{"pods/status takes no label of a quarantined pod", func(a attempt) bool {
		return a.path.kind == status && a.labels && (a.state == "quarantined" || a.state == "held" || a.state == "damaged")
	}, answer{code: 403, cause: "is quarantined, so its labels can't be changed"}},
	{"pods/status", func(a attempt) bool { return a.path.kind == status }, answer{outcome: untouched}},

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
	{"the trigger", func(a attempt) bool { return a.triggers }, answer{outcome: quarantined}},
	{"labels and owners of a quarantined pod", func(a attempt) bool {
		return (a.selected || a.owner) && (a.state == "quarantined" || a.state == "held")
	}, answer{outcome: detached}},
	{"an owner of another's pod", func(a attempt) bool { return a.owner && !a.user.delete }, answer{code: 403, cause: "cannot set an ownerRef"}},
	{"anything else", func(attempt) bool { return true }, answer{outcome: untouched}},
}

func expected(a attempt) answer {
	for _, rule := range rules {
		if rule.applies(a) {
			return rule.answer
		}
	}
	return answer{}
}

// differs describes how the API server's answer differs from this one.
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
