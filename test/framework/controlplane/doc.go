// Package controlplane builds and runs a Kubernetes control plane on loopback:
// the real etcd, API server, controller manager, scheduler and kubectl, and KWOK
// in place of the kubelets. It needs only Go: no container engine, no cluster.
//
// The binaries are built from the modules in test/cmd. This package does not know
// isolate; package installation does.
package controlplane
