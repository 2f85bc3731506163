// Command kubernetes is a Kubernetes control plane in one binary: etcd, the API
// server, the controller manager, the scheduler and kubectl, and KWOK in place of
// the kubelets. Each is the real program; the name of the symlink selects it.
//
// One binary links in the time of one and holds the shared packages once. It is a
// module of its own so that the product's go.mod stays small.
package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.etcd.io/etcd/server/v3/etcdmain"
	_ "k8s.io/client-go/plugin/pkg/client/auth"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	"k8s.io/kubectl/pkg/cmd"
	kubectlutil "k8s.io/kubectl/pkg/cmd/util"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
)

func main() {
	run, err := program(os.Args[0])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	os.Exit(run())
}

// program returns the program whose name ends the path.
func program(path string) (run func() int, err error) {
	programs := map[string]func() int{
		"etcd":                    runEtcd,
		"kube-apiserver":          func() int { return cli.Run(apiserver.NewAPIServerCommand()) },
		"kube-controller-manager": func() int { return cli.Run(controllermanager.NewControllerManagerCommand()) },
		"kube-scheduler":          func() int { return cli.Run(scheduler.NewSchedulerCommand()) },
		"kubectl":                 runKubectl,
		"kwok":                    runKWOK,
	}
	name := filepath.Base(path)
	if run, ok := programs[name]; ok {
		return run, nil
	}
	names := slices.Sorted(maps.Keys(programs))
	return nil, fmt.Errorf("%s is not a program in this binary; use a symlink with one of these names: %s", name, strings.Join(names, ", "))
}

func runEtcd() int {
	etcdmain.Main(os.Args)
	return 0
}

func runKubectl() int {
	if err := cli.RunNoErrOutput(cmd.NewDefaultKubectlCommand()); err != nil {
		kubectlutil.CheckErr(err) // exits, as kubectl does
	}
	return 0
}
