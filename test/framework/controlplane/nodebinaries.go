package controlplane

import (
	"context"
	"io"
)

// NodePrograms are the folders with the programs of a real node.
type NodePrograms struct {
	// Kubelet has kubelet and kube-proxy.
	Kubelet string
	// Containerd has containerd, containerd-shim-runc-v2 and ctr; Runc has runc.
	Containerd, Runc string
	// CNIPlugins has bridge, host-local, loopback and portmap.
	CNIPlugins string
	// KubeRouter has kube-router.
	KubeRouter string
	// Images has images, which writes image archives.
	Images string
}

var (
	kubelet = distribution{
		module: "kubelet", version: Version, prefix: "kubelet", tools: true,
		description: "kubelet and kube-proxy " + Version,
	}
	containerd = distribution{
		module: "containerd", prefix: "containerd", tools: true, tags: "no_btrfs,no_devmapper,no_zfs",
		description: "containerd",
	}
	// A part of runc, which enters the namespaces of a container, is written in C.
	runc       = distribution{module: "runc", prefix: "runc", tools: true, tags: "seccomp", cgo: true, description: "runc"}
	cniPlugins = distribution{module: "cniplugins", prefix: "cniplugins", tools: true, description: "the CNI plugins"}
	kubeRouter = distribution{module: "kuberouter", prefix: "kuberouter", tools: true, description: "kube-router"}
	images     = distribution{module: "images", prefix: "images", description: "the writer of image archives"}
)

// NodeBinaries builds the programs of a real node like [Binaries] builds those of the
// control plane.
func NodeBinaries(ctx context.Context, progress io.Writer) (NodePrograms, error) {
	var programs NodePrograms
	for _, part := range []struct {
		distribution distribution
		dir          *string
	}{
		{kubelet, &programs.Kubelet},
		{containerd, &programs.Containerd},
		{runc, &programs.Runc},
		{cniPlugins, &programs.CNIPlugins},
		{kubeRouter, &programs.KubeRouter},
		{images, &programs.Images},
	} {
		dir, err := part.distribution.binaries(ctx, progress)
		if err != nil {
			return NodePrograms{}, err
		}
		*part.dir = dir
	}
	return programs, nil
}
