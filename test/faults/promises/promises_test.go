package promises

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"isolate.example.io/test/framework/controlplane"
)

// promises are parts of sentences in docs/design.md, and the tests that fail if the promise
// is broken, each with its folder. The random scenarios in test/faults check several of them
// under faults.
var promises = []struct {
	sentence string
	tests    []string
}{
	{"It never shortens", []string{"quarantine TestUpdateQuarantined", "quarantine TestTTL"}},
	{"repeating it always works", []string{"quarantine TestUpdateQuarantined", "test/faults TestRandomFaults"}},
	{"always `\"true\"`", []string{"quarantine TestInvariants", "test/integration/policies TestBypassAttempts"}},
	{"never iterate over a pod's maps", []string{"test/integration/policies TestLargePodsStayWithinCELCost"}},
	{"A new pod is never quarantined", []string{"quarantine TestDecide", "test/e2e/lifecycle TestNewPodsAreNotQuarantined"}},
	{"The pod is never re-encoded", []string{"webhook TestUnknownFieldsOfThePodAreKept", "test/e2e/lifecycle TestOtherFieldsAreUnchanged"}},
	{"Commands are complete and always have `-n`", []string{"quarantine TestReleaseCommandIsComplete", "quarantine TestAKeyInTheWrongMapIsRefusedWithTheCommand"}},
	{"the answer is an error and never", []string{
		"selectors TestAKindIsAnErrorUntilItWasListed", "selectors TestAnUnreadableSelectorIsAnErrorInItsNamespaceOnly",
		"webhook TestAnIncompleteIndexIsA500WithTheReason", "test/faults TestTheWebhookNeverDecidesOnAStaleState",
	}},
	{"never causes a refusal until", []string{"webhook/budget TestAReviewOfAPodThatDoesNotExistUsesUpNoBudget"}},
	{"a flood of forged reviews", []string{"webhook/budget TestReadsAreBounded", "webhook/budget TestAPodThatCannotBeReadUsesUpNoBudget"}},
	{"The label never appears without a quarantine", []string{"test/integration/policies TestBypassAttempts", "test/integration/policies TestSubresources"}},
	{"a pod of the same name is never hit", []string{"test/integration/sweeper TestNewPodWithSameNameIsNotDeleted", "test/faults TestRandomFaults"}},
	{"A damaged record is reported and never leads to a deletion", []string{"test/integration/sweeper TestDamagedRecordPreventsDeletion", "test/faults TestRandomFaults"}},
	{"a patch that changes nothing never reaches a webhook", []string{"test/e2e/lifecycle TestLeakGuardDetachesAgain", "test/integration/policies TestMatchConditions"}},
	{"Events never delay deletions", []string{"test/integration/sweeper TestDeletionsDoNotWaitForRequestsThatInformPeople"}},
	{"The sweeper never sets a trigger", []string{"test/e2e/availability TestRolesGrantExactlyWhatIsUsed", "test/integration/sweeper TestStartupScanReportsOnce"}},
	{"Stamps that can't be true are never acted on", []string{
		"test/faults TestWrongClocksNeitherStampNorDelete",
		"quarantine TestAnExpiryBeforeItWasStoredIsImplausible", "test/integration/sweeper TestPodWithExpiryBeforeItsCreationIsKept",
	}},
	{"the webhook never decides on a state that is older than 5 seconds", []string{
		"test/faults TestTheWebhookNeverDecidesOnAStaleState", "test/faults TestRandomFaults",
		"watchcache TestAnAPIServerThatHasLostEtcdIsUnknownAfterMaxAge",
	}},
}

// promising matches a sentence, a table's cell or a list's item with one of the words.
var promising = regexp.MustCompile(`(?i)[^.|\n]*\b(never|always)\b[^.|\n]*`)

func TestEveryPromiseHasATest(t *testing.T) {
	sentences := promising.FindAllString(read(t, "docs/design.md"), -1)
	require.NotEmpty(t, sentences)
	for _, sentence := range sentences {
		var found bool
		for _, p := range promises {
			found = found || strings.Contains(sentence, p.sentence)
		}
		require.True(t, found, "docs/design.md says %q: name its test here", strings.TrimSpace(sentence))
	}
}

func TestEveryNamedTestExists(t *testing.T) {
	design := read(t, "docs/design.md")
	for _, p := range promises {
		require.Contains(t, design, p.sentence, "docs/design.md no longer says %q", p.sentence)
		for _, test := range p.tests {
			folder, name, _ := strings.Cut(test, " ")
			require.Contains(t, tests(t, folder), "func "+name+"(", "%s has no %s", folder, name)
		}
	}
}

// tests returns the tests in a folder.
func tests(t *testing.T, folder string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root(t), folder, "*_test.go"))
	require.NoError(t, err)
	var all strings.Builder
	for _, file := range files {
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		all.Write(data)
	}
	return all.String()
}

func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root(t), name))
	require.NoError(t, err)
	return string(data)
}

func root(t *testing.T) string {
	t.Helper()
	dir, err := controlplane.Root()
	require.NoError(t, err)
	return dir
}
