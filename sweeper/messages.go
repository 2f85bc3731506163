package sweeper

import (
	"errors"
	"fmt"

	"isolate.example.io/quarantine"
)

// What the sweeper says of a pod, one line for each decision.
const (
	logWaiting    = "Waiting for the pod to expire"
	logHeld       = "The pod is held, it is not deleted"
	logDamaged    = "The pod's record can't be relied on, so isolate never deletes the pod; release it or delete it by hand"
	logServerLate = "The pod has expired by this machine's clock but not by the API server's, it is not deleted yet"

	logDeleted  = "Deleted the expired pod"
	logGone     = "The expired pod is gone already"
	logConflict = "The pod changed a moment ago, looking again"
)

// What it says of a pod that something has come to select.
const (
	logLeaked   = "Something had come to select the pod; it was taken out again"
	logUnknown  = "What selects the pod is not known yet, looking again"
	logUnlisted = "The quarantined pods of a namespace could not be listed after a selector changed there"
)

// What it says of events, and of the look through all pods.
const (
	logUntold   = "An event could not be published and is given up"
	logLooked   = "Looked through all pods for triggers that were ignored and records without their label"
	logUnlooked = "Not all pods could be looked through, going on"
	logNoReason = "Why a controller is not back at strength could not be read"
)

// What it says of the clocks.
const (
	logSkewed   = "This machine's clock and the API server's differ, the later moment counts; check time synchronization"
	logAgreeing = "This machine's clock and the API server's agree"
	logStepped  = "A clock was set, looking at all quarantined pods again"
	logUnsure   = "The clocks could not be compared, trying again"
)

var (
	errStampOrder = fmt.Errorf("annotation %s is before %s", quarantine.ExpiresAtKey, quarantine.QuarantinedAtKey)
	errNoTime     = errors.New("the API server's answers carry no Date header, so nothing is deleted")
	errLeaks      = errors.New("something selects the pod, and the webhook has not taken it out")
	errNotSynced  = errors.New("the quarantined pods are not read yet")
)
