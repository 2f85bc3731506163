// Package workload builds objects as large and as varied as clusters have them,
// for what is measured: a pod with a sidecar, probes, volumes, a status and managed
// fields, and the ReplicaSet and Services that belong to it.
package workload
