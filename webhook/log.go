package webhook

import (
	"context"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"isolate.example.io/quarantine"
)

// maxLogged has room for a kind and a name.
const maxLogged = 2 * validation.DNS1123SubdomainMaxLength

// logDecision logs one line for each decision that does something. The admission UID
// is the one in the API server's audit log.
func logDecision(ctx context.Context, req *request, decision quarantine.Decision) {
	if decision.Action == quarantine.ActionNone {
		return
	}
	uid := req.Object.Metadata.UID
	if req.OldObject != nil {
		uid = req.OldObject.UID
	}
	log.FromContext(ctx).Info(logDecided, "namespace", req.Namespace, "pod", req.Name, "user", req.UserInfo.Username,
		"admission", req.UID, "action", decision.Action, "reason", reason(decision), "uid", uid,
		"detachedFrom", truncated(decision.DetachedFrom), "dryRun", req.DryRun)
}

// truncated shortens names to what Kubernetes' names can have. The owners of a pod can have
// longer ones, and so can a review that the API server did not send.
func truncated(names []string) []string {
	short := slices.Clone(names)
	for i, name := range short {
		short[i] = truncate(name)
	}
	return short
}

func truncate(text string) string {
	if len(text) <= maxLogged {
		return text
	}
	return strings.ToValidUTF8(text[:maxLogged], "") + "..."
}

func logFailure(ctx context.Context, err error) {
	log.FromContext(ctx).Error(err, logNotDecided)
}

func reason(decision quarantine.Decision) quarantine.Reason {
	if decision.Denial == nil {
		return ""
	}
	return decision.Denial.Reason
}
