// Package commands has the commands of kubectl isolate, one a file: flags, requests
// and what is printed. What the cluster says of a pod is in package pods.
package commands
