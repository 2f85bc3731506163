package webhook

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/log"

	"isolate.example.io/quarantine"
)

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
		"detachedFrom", decision.DetachedFrom, "dryRun", req.dryRun())
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
