package main

import "testing"

func TestSymlinkNameSelectsProgram(t *testing.T) {
	for _, name := range []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl", "kwok"} {
		if run, err := program("/somewhere/" + name); err != nil || run == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestUnknownNameListsPrograms(t *testing.T) {
	const want = "cluster is not a program in this binary; use a symlink with one of these names: " +
		"etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kubectl, kwok"
	if _, err := program("./cluster"); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
