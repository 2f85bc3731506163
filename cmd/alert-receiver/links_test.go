package main

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/util/sets"
)

// The webhook's modules are listed in its own test.
func TestTheReceiverLinksNoModuleThatTheWebhookDoesNot(t *testing.T) {
	receiver, _ := linked(t, ".")
	webhook, _ := linked(t, "../webhook")
	require.NotEmpty(t, webhook)
	require.Empty(t, sets.List(receiver.Difference(webhook)))
}

// Of isolate, it needs the names of keys and refusals, and no rule, no selector and no
// controller.
func TestTheReceiverLinksOnlyThesePackages(t *testing.T) {
	_, packages := linked(t, ".")
	require.Equal(t, []string{
		"isolate.example.io/alertreceiver",
		"isolate.example.io/certs",
		"isolate.example.io/cmd/alert-receiver",
		"isolate.example.io/cmd/internal/command",
		"isolate.example.io/quarantine",
		"isolate.example.io/selectors",
		"isolate.example.io/sweeper/events",
		"isolate.example.io/watchcache",
		"isolate.example.io/webhook/connections",
	}, sets.List(packages))
}

// linked returns the modules that a program links, and its packages of isolate.
func linked(t *testing.T, program string) (modules, packages sets.Set[string]) {
	t.Helper()
	output, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{with .Module}}{{.Path}} {{end}}{{.ImportPath}}", program).Output()
	require.NoError(t, err)
	modules, packages = sets.New[string](), sets.New[string]()
	for line := range strings.Lines(string(output)) {
		module, path, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok { // The standard library.
			continue
		}
		modules.Insert(module)
		if module == "isolate.example.io" {
			packages.Insert(path)
		}
	}
	return modules, packages
}
