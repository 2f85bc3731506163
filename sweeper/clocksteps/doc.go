// Package clocksteps notices when a clock is set, and has the controllers check all pods
// again then. It knows no controller and no pod.
package clocksteps
