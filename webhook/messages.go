package webhook

import (
	"errors"
	"fmt"
)

// Log messages.
const (
	logDecided          = "Decided"
	logNotDecided       = "Could not decide"
	logInvalidNamespace = "Ignoring an invalid annotation of the Namespace; the flag's value is used"
	logDraining         = "Draining"
	logDrained          = "Drained"
)

// errDraining is why a draining replica is not ready.
var errDraining = errors.New("shutting down; not accepting new connections")

// What a decision needs to know.
const (
	unknownSelectors       = "what selects this pod"
	unknownNamespaceConfig = "the configuration of this namespace"
	unknownQuarantines     = "how many pods are quarantined"
	unknownTime            = "the API server's time"
)

// errUnknown says what is not known and why, if isolate could not decide. The API server
// shows it to the requester.
func errUnknown(what string, err error) error {
	return fmt.Errorf("isolate does not know yet %s; nothing was changed, retry: %w", what, err)
}
