// Package evidence writes and verifies archives of a pod's evidence: files, and a manifest
// with the checksum of each file and a list of what is missing. It knows nothing about
// clusters.
package evidence
