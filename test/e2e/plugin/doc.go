// Package plugin runs kubectl-isolate as people do, as a program beside kubectl,
// against a control plane with isolate on it, and asserts what it prints.
//
// Nothing runs in the pods here, so what needs a container (exec, attach, the logs
// of a real kubelet) is tested up to the request.
package plugin
