// Package evidence writes and verifies archives of what a pod leaves behind: files,
// and a manifest that has each file's checksum and names everything that is missing.
// It knows nothing of clusters.
package evidence
