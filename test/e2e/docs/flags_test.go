package docs

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// othersFlags are what documents name of programs that are not at hand.
var othersFlags = []string{"--build-arg", "--platform", "--kube-api-qps", "--kube-api-burst", "--goaway-chance", "--source", "--downloads"}

// kubectlCommands are those that documents use.
var kubectlCommands = []string{"annotate", "apply", "auth can-i", "create secret generic", "delete", "describe", "drain", "get", "kustomize", "label", "logs", "options", "patch", "rollout restart", "rollout status", "scale", "wait"}

var (
	flagName  = regexp.MustCompile("(?:^|[\\s`'\"(])(--[a-z][a-z0-9-]*)")
	flagValue = regexp.MustCompile(`(?m)^\s*(?:- |value: )(--[a-z][a-z0-9-]*(?:=\S+)?)$`)

	// program is a block of code in a page, such as a shell script.
	program = regexp.MustCompile("(?ms)^```[a-z]+$.*?^```$")
)

func TestDocumentedFlagsExist(t *testing.T) {
	known := slices.Concat(othersFlags, flagsIn(t, filepath.Join(programs, "webhook")), flagsIn(t, filepath.Join(programs, "sweeper")), flagsIn(t, filepath.Join(programs, "alert-receiver")))
	require.Contains(t, known, "--drain-period")
	require.Contains(t, known, "--lease-duration")
	for _, command := range kubectlCommands {
		known = append(known, flagsIn(t, cluster.Kubectl(), strings.Fields(command)...)...)
	}
	for _, command := range []string{"install", "upgrade", "uninstall", "rollback", "test"} {
		known = append(known, flagsIn(t, helm, command)...)
	}
	for _, page := range append(pages(t), manifests(t)...) {
		// test/e2e/plugin has the plugin, and tests it.
		if page.name == "docs/plugin.md" || strings.HasPrefix(page.name, "manifests/examples/evidence/") {
			continue
		}
		// test/tools/contract runs the programs.
		for _, found := range flagName.FindAllStringSubmatch(program.ReplaceAllString(page.text, ""), -1) {
			require.Contains(t, known, found[1], page.name)
		}
	}
}

// flagsIn are those in the help of a program's command.
func flagsIn(t *testing.T, program string, command ...string) []string {
	t.Helper()
	help, err := exec.CommandContext(t.Context(), program, append(command, "--help")...).Output()
	require.NoError(t, err)
	var found []string
	for _, match := range flagName.FindAllStringSubmatch(string(help), -1) {
		found = append(found, match[1])
	}
	return found
}

func TestManifestFlagsExist(t *testing.T) {
	var tried int
	for _, page := range manifests(t) {
		for _, found := range flagValue.FindAllStringSubmatch(page.text, -1) {
			tried++
			accepted := slices.ContainsFunc([]string{"webhook", "sweeper", "alert-receiver"}, func(program string) bool {
				return exec.CommandContext(t.Context(), filepath.Join(programs, program), found[1], "--version").Run() == nil
			})
			require.True(t, accepted, "%s in %s is taken by no program", found[1], page.name)
		}
	}
	require.NotZero(t, tried)
}

// manifests are all files of that folder.
func manifests(t *testing.T) []page {
	t.Helper()
	var found []page
	require.NoError(t, filepath.WalkDir(filepath.Join(root, "manifests"), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		found = append(found, page{strings.TrimPrefix(path, root+"/"), string(data)})
		return err
	}))
	return found
}
