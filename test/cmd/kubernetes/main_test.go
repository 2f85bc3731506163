package main

import "testing"

func TestTheNameSaysWhichProgramItIs(t *testing.T) {
	for _, name := range []string{"cert-manager", "etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl", "kwok"} {
		if run, err := program("/somewhere/" + name); err != nil || run == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAnotherNameIsAnsweredWithTheNamesThereAre(t *testing.T) {
	const want = "cluster is none of the programs in this binary; link it to one of these names: " +
		"cert-manager, etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kubectl, kwok"
	if _, err := program("./cluster"); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
