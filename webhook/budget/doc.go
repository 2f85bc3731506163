// Package budget counts quarantined pods against the budgets of their controllers and
// namespaces: those that the API server has, and those that this replica of the
// webhook has admitted a moment ago.
//
// A budget counts pods, not attempts. An admitted pod is assumed to be quarantined,
// as kube-scheduler assumes a pod to be bound (AssumePod), until the watch shows it
// or a few seconds have passed: another webhook or a policy may still refuse the
// write. Anyone who reaches the port can send a review, so an assumed pod causes no
// refusal until a live read has confirmed that it exists.
//
// The count is exact within one replica, and can't be exact across several. A replica
// knows what is stored and what it has admitted itself. If two replicas decide at the
// same time and the budget has room for one pod, both admit theirs: neither pod is stored
// yet, and an admission has no side effects by which replicas could know about each
// other. So during the lag of the watch, some milliseconds, each replica may admit a full
// budget. The overshoot is at most (replicas - 1) × budget.
package budget
