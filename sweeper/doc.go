// Package sweeper deletes quarantined pods when their time is up. It is the one
// part of isolate that writes to the cluster by itself.
//
// What happens to a pod in an admission is decided elsewhere: nothing here
// quarantines, extends or releases a pod. Package quarantine reads the pod's
// record; [judge] says what follows from it at a given time, without a client, a
// logger or a clock.
package sweeper
