// Package installation installs isolate on a local control plane: it applies the
// shipped manifests and runs the built programs as processes, each with the
// ServiceAccount and the flags from the manifests.
//
// KWOK's pods run nothing. So the flags for the pod's ports and folders are replaced
// by ports and folders of this machine, and package services stands in for the
// webhook's Service.
package installation
