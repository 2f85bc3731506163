// Package workload builds realistically large objects for benchmarks: a pod with a
// sidecar, probes, volumes, a status and managed fields, its ReplicaSet and Services.
package workload
