package quarantine

import "time"

// deadline returns when the kubelet ends the pod because of its own
// activeDeadlineSeconds, whatever isolate does: see pkg/kubelet/active_deadline.go. It
// is false if there is none, or if the pod has not started or has finished.
func (p *Pod) deadline() (time.Time, bool) {
	if p.Spec.ActiveDeadlineSeconds == nil || p.Status.StartTime == nil || p.Status.finished() {
		return time.Time{}, false
	}
	return p.Status.StartTime.Add(time.Duration(*p.Spec.ActiveDeadlineSeconds) * time.Second), true
}

// deadlineBefore returns the pod's deadline if it comes before isolate deletes the pod,
// as it always does if a hold keeps the pod.
func (p *Pod) deadlineBefore(e expiry) (time.Time, bool) {
	ends, ok := p.deadline()
	expires, err := time.Parse(time.RFC3339, e.at)
	if !ok || err != nil || e.change == expiryUnchanged {
		return time.Time{}, false
	}
	return ends, e.change == expiryHeld || ends.Before(expires)
}
