// Package node runs a Kubernetes cluster of one real node: containerd, runc, the CNI
// plugins, kubelet, kube-proxy in nftables mode and kube-router for NetworkPolicies,
// beside the control plane of package controlplane. Containers run as on any node.
//
// It needs Linux and root, and no container engine. The whole cluster, and the program
// that starts it, run in network, mount and process namespaces of their own: see [Run].
// So several can run on one machine, the machine's network and firewall stay as they
// are, and the kernel ends every process, mount, interface and rule with the program,
// even if that is killed. The cluster has no connection to other networks.
package node
