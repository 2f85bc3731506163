// Package controlplane builds and runs a Kubernetes control plane on loopback:
// the real etcd, API server, controller manager, scheduler and kubectl, and KWOK
// in place of the kubelets. It needs Go and nothing else, no container engine
// and no cluster.
//
// The binaries come from the module in test/cmd/kubernetes. Nothing in here knows of
// isolate; package installation does.
package controlplane
