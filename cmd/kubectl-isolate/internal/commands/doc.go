// Package commands has the commands of kubectl isolate, one per file: flags, requests and
// output. Package pods reads the cluster.
package commands
