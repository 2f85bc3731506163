package quarantine

import "time"

// expiry says what a write changes about the deletion of a quarantined pod.
type expiry struct {
	change expiryChange

	// at is the value of [ExpiresAtKey].
	at string

	// in is how long the pod is kept, counted from the quarantine. Counted from now, it would
	// differ between two calls of one admission.
	in time.Duration
}

type expiryChange int

const (
	expiryUnchanged expiryChange = iota
	expiryScheduled              // the pod is quarantined
	expiryHeld                   // the pod is held
	expiryUnheld                 // the hold is removed
	expiryNow                    // the hold is removed, and the pod has expired
	expiryExtended
	expiryNotExtended // extend asks for less than what is left
)

// scheduled returns the expiry of a pod that is quarantined for this long.
func scheduled(req Request, at string, in time.Duration) expiry {
	if req.New.Annotations[HoldKey] == True {
		return expiry{change: expiryHeld, at: at}
	}
	return expiry{change: expiryScheduled, at: at, in: in}
}

// expiryOf returns what a write to a quarantined pod with this new expires-at changes.
func expiryOf(req Request, expires string) expiry {
	wasHeld, isHeld := req.Old.Annotations[HoldKey] == True, req.New.Annotations[HoldKey] == True
	_, extends := req.New.Annotations[ExtendKey]
	moved := expires != req.Old.Annotations[ExpiresAtKey]
	at, err := time.Parse(time.RFC3339, expires)
	switch {
	case err != nil || (!extends && wasHeld == isHeld && !moved):
		return expiry{}
	case isHeld:
		return expiry{change: expiryHeld, at: expires}
	case !req.Time.Before(at):
		return expiry{change: expiryNow, at: expires}
	case moved:
		return expiry{change: expiryExtended, at: expires}
	case extends:
		return expiry{change: expiryNotExtended, at: expires}
	}
	return expiry{change: expiryUnheld, at: expires}
}
