package docs

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// retired are the words that the project no longer uses, each with the word to write
// instead. docs/design.md has the glossary.
var retired = map[string]string{
	`[Tt]akings`:                    "lastSeen",
	`[Jj]ournal`:                    "decisionLog",
	`[Aa]nnouncements?`:             "podevents",
	`[Cc]ensus`:                     "Count, budget tracker, collector",
	`[Uu]ntold`:                     "dropped",
	`fate(Of|At)?`:                  "adoption",
	`[Oo]bstacles?`:                 "replacementBlockers",
	`keptApart`:                     "antiAffinityTopologies",
	`occupiesHost`:                  "usesHostPort",
	`probed`:                        "hasLivenessProbe",
	`[Tt]all(y|ies)`:                "counter",
	`filing`:                        "postings",
	`goesOn`:                        "continueToken",
	`fewPods`:                       "podScanLimit",
	`theOne|atStart`:                "singleton, initial enqueue",
	`(err)?[Rr]estless`:             "errNoProgress",
	`[Vv]ouch(es)?`:                 "verifies",
	`ifFound`:                       "ignoreNotFound",
	`let-go|[Ll]ets? go of`:         "detached from",
	`[Tt]akes?Out|[Tt]ake[ns]? out`: "detach",
	`ActionStrip`:                   "ActionDropAnnotations",
	`LabelKey|LabelValue`:           "QuarantinedLabel, QuarantinedValue",
	`goe?s? by itself`:              "is removed",
	`stands? in (its|the) log`:      "is in the log",
	`[Ll]ook after`:                 "check",
	`sees? to (it|them)`:            "ensure",
	`wants no pods`:                 "is scaled to zero",
	`[Ww]hoever`:                    "anyone who, the person who",
	`(is|are) whether`:              "reports whether, returns",
}

// notProse are files that keep old words on purpose: what was renamed, the
// compatibility with it, and this list.
var notProse = []string{"CHANGELOG.md", "test/e2e/docs/words_test.go"}

func TestRetiredWords(t *testing.T) {
	patterns := map[*regexp.Regexp]string{}
	for word, instead := range retired {
		patterns[regexp.MustCompile(`\b(`+word+`)(\b|$)`)] = instead
	}
	for _, name := range tracked(t) {
		file, err := os.Open(filepath.Join(root, name))
		require.NoError(t, err)
		lines := bufio.NewScanner(file)
		for number := 1; lines.Scan(); number++ {
			for pattern, instead := range patterns {
				if found := pattern.FindString(lines.Text()); found != "" {
					t.Errorf("%s:%d: write %q instead of %q", name, number, instead, found)
				}
			}
		}
		require.NoError(t, lines.Err(), name)
		require.NoError(t, file.Close())
	}
}

// tracked are the files under version control that people read.
func tracked(t *testing.T) []string {
	t.Helper()
	list := exec.CommandContext(t.Context(), "git", "ls-files", "--", "*.go", "*.md", "*.yaml", "*.yml", "*.sh", "Makefile", "Dockerfile", ":!*/testdata/*")
	list.Dir = root
	out, err := list.Output()
	require.NoError(t, err)
	names := strings.Fields(string(out))
	require.NotEmpty(t, names)
	return slices.DeleteFunc(names, func(name string) bool { return slices.Contains(notProse, name) })
}
