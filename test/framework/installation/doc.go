// Package installation installs isolate on a local control plane: the manifests
// that are shipped, and the built programs as processes, each as the
// ServiceAccount and with the flags that the manifests give it.
//
// Pods run nothing there, so flags that name ports and folders of the pod name
// some of this machine, and package services stands in for the webhook's Service.
package installation
