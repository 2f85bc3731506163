package controlplane

import (
	"fmt"
	"os"
	"strconv"
)

// serviceAccountIssuer is the issuer of ServiceAccount tokens.
const serviceAccountIssuer = "https://kubernetes.default.svc.cluster.local"

// egressFile configures how the API server connects to Services.
const egressFile = "egress.json"

// The addresses of the API server: on this machine, and in the cluster as the Service
// "kubernetes", the first of the range.
const (
	loopback       = "127.0.0.1"
	clusterAddress = "10.96.0.1"
	clusterRange   = "10.96.0.0/16"
)

// address returns the address that the API server listens on.
func (c *ControlPlane) address() string {
	if c.options.NodeAddress != "" {
		return c.options.NodeAddress
	}
	return loopback
}

func (c *ControlPlane) writeEgress() error {
	return os.WriteFile(c.path(egressFile), fmt.Appendf(nil, `{
		"apiVersion": "apiserver.k8s.io/v1beta1",
		"kind": "EgressSelectorConfiguration",
		"egressSelections": [{"name": "cluster", "connection": {
			"proxyProtocol": "HTTPConnect",
			"transport": {"uds": {"udsName": %q}}
		}}]
	}`, c.services.Socket()), 0o600)
}

func (c *ControlPlane) etcdFlags() []string {
	url := "http://" + c.etcd
	return []string{
		"--data-dir=" + c.path("etcd"),
		"--listen-client-urls=" + url,
		"--advertise-client-urls=" + url,
		"--listen-peer-urls=http://127.0.0.1:0",
		"--log-level=error",
		// The benchmark's largest cluster needs more than the default of 2 GiB.
		"--quota-backend-bytes=8589934592",
		// Nobody needs the data after a crash.
		"--unsafe-no-fsync",
	}
}

func (c *ControlPlane) apiServerFlags(etcd string, port int) []string {
	flags := []string{
		"--etcd-servers=http://" + etcd,
		"--bind-address=" + c.address(),
		"--advertise-address=" + c.address(),
		"--secure-port=" + strconv.Itoa(port),
		"--tls-cert-file=" + c.path(servingCertFile),
		"--tls-private-key-file=" + c.path(servingKeyFile),
		"--client-ca-file=" + c.path(caFile),
		"--authorization-mode=Node,RBAC",
		"--service-account-issuer=" + serviceAccountIssuer,
		"--service-account-key-file=" + c.path(serviceAccountKeyFile),
		"--service-account-signing-key-file=" + c.path(serviceAccountKeyFile),
		"--service-cluster-ip-range=" + clusterRange,
		"--allow-privileged=true",
	}
	if c.options.NodeAddress == "" {
		flags = append(flags,
			// The Service "kubernetes" must not have a loopback address as its endpoint.
			"--endpoint-reconciler-type=none",
			"--egress-selector-config-file="+c.path(egressFile),
		)
	} else {
		flags = append(flags,
			"--kubelet-client-certificate="+c.path(kubeletClientCertFile),
			"--kubelet-client-key="+c.path(kubeletClientKeyFile),
			"--kubelet-preferred-address-types=InternalIP",
		)
	}
	if c.options.APIServerOnly {
		flags = append(flags, "--disable-admission-plugins=ServiceAccount")
	}
	return append(flags, c.options.APIServerFlags...)
}

func (c *ControlPlane) controllerManagerFlags() []string {
	return append([]string{
		"--kubeconfig=" + c.kubeconfig,
		// Each controller uses its own ServiceAccount, as on any cluster.
		"--use-service-account-credentials=true",
		"--service-account-private-key-file=" + c.path(serviceAccountKeyFile),
		"--root-ca-file=" + c.path(caFile),
		"--secure-port=0",
		"--leader-elect=false",
		// The default of 20 requests per second would be the bottleneck of every benchmark.
		"--kube-api-qps=500",
		"--kube-api-burst=1000",
	}, c.options.ControllerManagerFlags...)
}

func (c *ControlPlane) schedulerFlags() []string {
	return []string{"--kubeconfig=" + c.kubeconfig, "--secure-port=0", "--leader-elect=false"}
}

func (c *ControlPlane) kwokFlags() []string {
	return []string{
		"--kubeconfig=" + c.kubeconfig,
		"--config=" + c.path("stages.yaml"),
		"--manage-all-nodes=true",
		"--cidr=10.244.0.0/16",
		"--node-lease-duration-seconds=40",
	}
}
