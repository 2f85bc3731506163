package docs

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"isolate.example.io/alertreceiver"
	"isolate.example.io/quarantine"
)

// Declarations in the sources.
var (
	metricDeclared = regexp.MustCompile(`"(isolate_[a-z_]+)"`)
	keyDeclared    = regexp.MustCompile(`= Domain \+ "([a-z-]+)"`)
	eventDeclared  = regexp.MustCompile(`(?:Reason: |reason\w+ += )"([A-Z]\w+)"`)
)

// rowHead is the first cell of a table's row, and nameInCell a name in it.
var (
	rowHead    = regexp.MustCompile(`(?m)^\| ([^|]*) \|`)
	nameInCell = regexp.MustCompile("`([^`]+)`")
)

func TestReferenceListsMetrics(t *testing.T) {
	require.ElementsMatch(t, declared(t, ".", metricDeclared), tableNames(t, "Metrics"))
}

func TestReferenceListsEvents(t *testing.T) {
	require.ElementsMatch(t, slices.Concat(declared(t, "sweeper", eventDeclared), declared(t, "certs", eventDeclared), declared(t, "alertreceiver", eventDeclared)), tableNames(t, "Events"))
}

func TestReferenceListsKeys(t *testing.T) {
	require.ElementsMatch(t, declared(t, "quarantine", keyDeclared), append(tableNames(t, "Keys on a pod"), tableNames(t, "Settings of a namespace")...))
}

func TestReferenceListsFlags(t *testing.T) {
	for program, title := range map[string]string{
		"webhook": "Flags of the webhook", "sweeper": "Flags of the sweeper", "alert-receiver": "Flags of the alert receiver",
	} {
		known := slices.Compact(slices.Sorted(slices.Values(flagsIn(t, filepath.Join(programs, program)))))
		if program == "alert-receiver" {
			require.NotContains(t, known, "--selecting-resource")
			known = append(known, "--selecting-resource")
		}
		require.ElementsMatch(t, known, append(tableNames(t, title), tableNames(t, "Flags of both")...), program)
	}
}

// declared are the names that a folder's sources declare, each once.
func declared(t *testing.T, dir string, declaration *regexp.Regexp) []string {
	t.Helper()
	var found []string
	require.NoError(t, filepath.WalkDir(filepath.Join(root, dir), func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && slices.Contains([]string{"test", ".build", ".git"}, entry.Name()):
			return filepath.SkipDir
		case filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		source, err := os.ReadFile(path)
		for _, match := range declaration.FindAllSubmatch(source, -1) {
			found = append(found, string(match[1]))
		}
		return err
	}))
	slices.Sort(found)
	return slices.Compact(found)
}

// tableNames are the names in the first column of the tables under a heading of the
// reference.
func tableNames(t *testing.T, title string) []string {
	t.Helper()
	_, section, found := strings.Cut(readPage(t, "docs/reference.md").text, "\n## "+title+"\n")
	require.True(t, found, "no heading %q", title)
	section, _, _ = strings.Cut(section, "\n## ")
	var names []string
	for _, row := range rowHead.FindAllStringSubmatch(section, -1) {
		for _, name := range nameInCell.FindAllStringSubmatch(row[1], -1) {
			names = append(names, name[1])
		}
	}
	return names
}

func TestReferenceListsRefusalsOfTheAlertReceiver(t *testing.T) {
	var own []string
	for _, reason := range alertreceiver.Reasons() {
		if !slices.ContainsFunc(quarantine.Refusals(), func(r quarantine.Refusal) bool { return string(r.Reason) == string(reason) }) {
			own = append(own, string(reason))
		}
	}
	require.ElementsMatch(t, own, tableNames(t, "Refusals of the alert receiver"))
}

func TestReferenceListsRefusals(t *testing.T) {
	_, section, _ := strings.Cut(readPage(t, "docs/reference.md").text, "\n## Refusals\n")
	section, _, _ = strings.Cut(section, "\n## ")
	_, table, _ := strings.Cut(section, "|---|---|---|---|\n")
	table, _, _ = strings.Cut(table, "\n\n")
	var rows []string
	for _, refusal := range quarantine.Refusals() {
		force := "no"
		if refusal.ForcePasses {
			force = strings.TrimSuffix("yes, "+refusal.Force, ", ")
		}
		rows = append(rows, fmt.Sprintf("| `%s` | %s | %s | %s |", refusal.Reason, refusal.Refused, refusal.Why, force))
	}
	require.Equal(t, rows, strings.Split(table, "\n"))
}
