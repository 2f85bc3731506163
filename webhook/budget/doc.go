// Package budget counts quarantined pods against the budgets of their controllers and
// namespaces: those that the API server has, and those that this replica of the
// webhook has admitted a moment ago.
//
// A budget counts pods, not attempts. An admitted pod is assumed to be quarantined,
// as kube-scheduler assumes a pod to be bound (AssumePod), until the watch shows it
// or a few seconds have passed: another webhook or a policy may still refuse the
// write.
//
// The count is exact within one replica, and can't be across several. Each decides by
// what is stored and by what it has admitted itself. If two admissions are in flight
// at two replicas and the budget has room for one pod, each looks like the only one
// to its replica: neither is stored before it is answered, and an admission has no
// side effects by which replicas could know of each other. So replicas that answer at
// the same time may each admit a full budget, as long as the watch lags, which is
// some milliseconds. The overshoot is at most (replicas - 1) × budget.
package budget
