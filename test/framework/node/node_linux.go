package node

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"text/template"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"isolate.example.io/test/framework/controlplane"
)

const (
	// Name is the node's name.
	Name = "node"
	// Address is the node's address, which the API server has too.
	Address = "172.30.0.1"

	device       = "node0"
	bridge       = "pods0"
	socket       = "/run/containerd/containerd.sock"
	startTimeout = 5 * time.Minute
)

//go:embed files
var files embed.FS

// Node is a running cluster of one node. It ends with the program.
type Node struct {
	*controlplane.ControlPlane

	settings settings
	client   kubernetes.Interface
	// programs are the running programs by name.
	programs map[string]*controlplane.Process
}

// Start starts a control plane and a node, and returns when the node is Ready. It can be
// called once in a program that runs [Inside] its own namespaces.
func Start(ctx context.Context) (*Node, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	s, err := read()
	if err != nil {
		return nil, err
	}
	if err := prepare(ctx); err != nil {
		return nil, fmt.Errorf("preparing the namespaces: %w", err)
	}
	n := &Node{settings: s, programs: map[string]*controlplane.Process{}}
	n.ControlPlane, err = controlplane.Start(ctx, controlplane.Options{
		Dir: n.path("control-plane"), Binaries: s.Built.Binaries, NodeAddress: Address,
		ControllerManagerFlags: []string{"--allocate-node-cidrs", "--cluster-cidr=10.244.0.0/16"},
	})
	if err != nil {
		return nil, err
	}
	config := rest.CopyConfig(n.Config())
	config.WarningHandler = rest.NoWarnings{} // isolate warns about the pod that Install tries it with.
	if n.client, err = kubernetes.NewForConfig(config); err != nil {
		return nil, err
	}
	if err := n.configure(); err != nil {
		return nil, fmt.Errorf("writing the node's configuration: %w", err)
	}
	if err := n.startPrograms(ctx); err != nil {
		return nil, fmt.Errorf("starting the node: %w", err)
	}
	return n, nil
}

func (n *Node) path(name string) string { return filepath.Join(n.settings.Dir, name) }

// configure writes the files that the node's programs read.
func (n *Node) configure() error {
	templates, err := template.ParseFS(files, "files/*")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(n.path("cni"), 0o755); err != nil {
		return err
	}
	values := map[string]any{
		"Dir": n.settings.Dir, "Programs": n.settings.Built.Node, "Socket": socket, "Name": Name,
		"PauseImage": pauseImage, "Bridge": bridge,
	}
	for source, target := range map[string]string{
		"containerd.toml": "containerd.toml", "cni.conflist": "cni/pods.conflist",
		"kubelet.yaml": "kubelet.yaml", "kube-proxy.yaml": "kube-proxy.yaml",
	} {
		file, err := os.Create(n.path(target))
		if err != nil {
			return err
		}
		if err := errors.Join(templates.ExecuteTemplate(file, source, values), file.Close()); err != nil {
			return err
		}
	}
	for name, config := range map[string]*rest.Config{
		"kubelet":    n.UserConfig("system:node:"+Name, "system:nodes"),
		"kube-proxy": n.UserConfig("system:kube-proxy"),
	} {
		if err := controlplane.WriteKubeconfig(config, n.path(name+".kubeconfig")); err != nil {
			return err
		}
	}
	return os.WriteFile(n.path("ca.crt"), n.Config().CAData, 0o644)
}

// startPrograms starts what runs on the node and returns when it is Ready.
func (n *Node) startPrograms(ctx context.Context) error {
	if err := n.startContainerd(ctx); err != nil {
		return err
	}
	for _, name := range []string{pauseArchive, isolateArchive, workloadArchive} {
		if err := n.Load(ctx, n.settings.Built.archive(name)); err != nil {
			return err
		}
	}
	return n.startOthers(ctx)
}

// startOthers starts what needs containerd.
func (n *Node) startOthers(ctx context.Context) error {
	if err := n.start("kubelet",
		"--config="+n.path("kubelet.yaml"), "--kubeconfig="+n.path("kubelet.kubeconfig"),
		"--root-dir="+n.path("kubelet"), "--cert-dir="+n.path("kubelet-pki"),
		"--hostname-override="+Name, "--node-ip="+Address); err != nil {
		return err
	}
	if err := n.start("kube-proxy", "--config="+n.path("kube-proxy.yaml")); err != nil {
		return err
	}
	// kube-router reads its Node when it starts.
	if err := n.waitReady(ctx); err != nil {
		return err
	}
	return n.start("kube-router",
		"--kubeconfig="+n.Kubeconfig(), "--hostname-override="+Name, "--service-cluster-ip-range=10.96.0.0/16",
		"--run-firewall", "--run-router=false", "--run-service-proxy=false", "--enable-cni=false", "--health-port=0")
}

func (n *Node) startContainerd(ctx context.Context) error {
	if err := n.start("containerd", "--config="+n.path("containerd.toml")); err != nil {
		return err
	}
	return n.poll(ctx, "containerd to answer", func(ctx context.Context) error {
		return n.ctr(ctx, "version")
	})
}

func (n *Node) start(name string, flags ...string) error {
	programs := n.settings.Built.Node
	dir := map[string]string{
		"containerd": programs.Containerd, "kubelet": programs.Kubelet, "kube-proxy": programs.Kubelet, "kube-router": programs.KubeRouter,
	}[name]
	process, err := controlplane.StartProcess(n.settings.Dir, name, filepath.Join(dir, name), flags...)
	n.programs[name] = process
	return err
}

// Wait returns nil when the context is done, or an error when a program of the control
// plane or of the node exits.
func (n *Node) Wait(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, len(n.programs)+1)
	go func() { ended <- n.ControlPlane.Wait(ctx) }()
	for _, process := range n.programs {
		go func() {
			select {
			case <-process.Done():
				ended <- process.Err()
			case <-ctx.Done():
			}
		}()
	}
	return <-ended
}

// Load imports an image archive into containerd.
func (n *Node) Load(ctx context.Context, archive string) error {
	return n.ctr(ctx, "--namespace=k8s.io", "images", "import", archive)
}

func (n *Node) ctr(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, filepath.Join(n.settings.Built.Node.Containerd, "ctr"), append([]string{"--address=" + socket}, args...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("ctr %v: %w\n%s", args, err, out)
	}
	return nil
}

// waitReady waits until the node is Ready and takes pods.
func (n *Node) waitReady(ctx context.Context) error {
	return n.poll(ctx, "the node to be Ready", func(ctx context.Context) error {
		node, err := n.client.CoreV1().Nodes().Get(ctx, Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		ready := slices.ContainsFunc(node.Status.Conditions, func(c corev1.NodeCondition) bool {
			return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
		})
		if !ready || len(node.Spec.Taints) > 0 {
			return fmt.Errorf("its conditions are %v, its taints %v", node.Status.Conditions, node.Spec.Taints)
		}
		return nil
	})
}

// poll waits until the condition returns nil. It returns early if a program exits.
func (n *Node) poll(ctx context.Context, what string, condition func(context.Context) error) error {
	var last error
	err := wait.PollUntilContextCancel(ctx, checkPeriod, true, func(ctx context.Context) (bool, error) {
		for _, process := range n.programs {
			select {
			case <-process.Done():
				return false, process.Err()
			default:
			}
		}
		last = condition(ctx)
		return last == nil, nil
	})
	if err != nil {
		return fmt.Errorf("waiting for %s: %w", what, errors.Join(err, last))
	}
	return nil
}
