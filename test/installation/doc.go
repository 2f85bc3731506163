// Package installation installs isolate on a local control plane: the manifests
// that are shipped, and the built programs as processes, each as the
// ServiceAccount and with the flags that the manifests give it.
//
// Pods run nothing there and no Service is routed, so two things differ from a
// cluster: flags that name ports and folders of the pod name some of this
// machine, and the webhook configuration has a URL in place of its Service.
package installation
