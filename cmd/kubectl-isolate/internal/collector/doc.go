// Package collector reads the evidence of one pod from the cluster, with the
// permissions of the caller, and writes it into an archive. It reads no Secrets and no
// ConfigMaps.
package collector
