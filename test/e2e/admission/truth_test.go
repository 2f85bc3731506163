package admission

import (
	"encoding/json"
	"regexp"
	"strings"

	"github.com/stretchr/testify/assert"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"isolate.example.io/quarantine"
)

const (
	// maxWarning is the greatest length of a warning, and maxCommand that of one with a
	// command: the API server may truncate longer ones.
	maxWarning = 120
	maxCommand = 256
)

var (
	timestamp = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`)
	number    = regexp.MustCompile(`\d+`)

	// done matches sentences that claim that the write is stored, which isolate can't know.
	done = regexp.MustCompile(`^(Quarantined|Released|Detached|Held|Extended)`)
)

// claims are statements of warnings about the stored pod, and how to check them.
var claims = []struct {
	sentence *regexp.Regexp
	holds    func(n *namespace, pod metav1.ObjectMeta, words []string) bool
}{
	{regexp.MustCompile(`^(?:Quarantines the pod|Detaches the pod)`), func(_ *namespace, pod metav1.ObjectMeta, _ []string) bool {
		return quarantine.StatusOf(pod.Labels, pod.Annotations).State == quarantine.Quarantined
	}},
	{regexp.MustCompile(`^Detaches the pod (?:again, )?from (.*)\.$`), func(n *namespace, pod metav1.ObjectMeta, words []string) bool {
		for _, name := range n.selecting(pod.Labels) {
			if strings.Contains(words[1], name) {
				return false
			}
		}
		return true
	}},
	{regexp.MustCompile(`^(\S+) selects this quarantined pod`), func(n *namespace, pod metav1.ObjectMeta, words []string) bool {
		return strings.Contains(strings.Join(n.selecting(pod.Labels), " "), words[1])
	}},
	{regexp.MustCompile(`^Keeps label ([^=]+)=(\S*):`), func(_ *namespace, pod metav1.ObjectMeta, words []string) bool {
		return pod.Labels[words[1]] == words[2]
	}},
	{regexp.MustCompile(`^Removes label (\S+):`), func(_ *namespace, pod metav1.ObjectMeta, words []string) bool {
		_, has := pod.Labels[words[1]]
		return !has
	}},
	{regexp.MustCompile(`^Drops the ownerReferences? to `), func(_ *namespace, pod metav1.ObjectMeta, _ []string) bool {
		return len(pod.OwnerReferences) == 0
	}},
	{regexp.MustCompile(`^Holds the pod`), func(_ *namespace, pod metav1.ObjectMeta, _ []string) bool {
		return pod.Annotations[quarantine.HoldKey] == quarantine.True
	}},
	{regexp.MustCompile(`^Removes the hold`), func(_ *namespace, pod metav1.ObjectMeta, _ []string) bool {
		return pod.Annotations[quarantine.HoldKey] != quarantine.True
	}},
	{regexp.MustCompile(`^Releases the pod`), func(_ *namespace, pod metav1.ObjectMeta, _ []string) bool {
		return quarantine.StatusOf(pod.Labels, pod.Annotations).State == quarantine.Free
	}},
	{regexp.MustCompile(`^Not restored, .*: (?:label|annotation) (.*)\.$`), func(_ *namespace, pod metav1.ObjectMeta, words []string) bool {
		unrestored := pod.Annotations[unrestoredKey]
		for _, key := range strings.FieldsFunc(strings.ReplaceAll(words[1], " and ", ", "), func(r rune) bool { return r == ',' || r == ' ' }) {
			if !strings.Contains(unrestored, key) {
				return false
			}
		}
		return true
	}},
	{regexp.MustCompile(`^The annotation isolate.example.io/unrestored keeps`), func(_ *namespace, pod metav1.ObjectMeta, _ []string) bool {
		return json.Valid([]byte(pod.Annotations[unrestoredKey]))
	}},
	{regexp.MustCompile(`^Keeps isolate's label and record`), func(_ *namespace, pod metav1.ObjectMeta, _ []string) bool {
		return quarantine.StatusOf(pod.Labels, pod.Annotations).State == quarantine.Quarantined
	}},
}

// requireTrue fails if a warning is not true of the stored pod, or would only be true of a
// stored one.
func (n *namespace) requireTrue(a answer) {
	n.Helper()
	seen := map[string]string{}
	for _, warning := range a.warnings {
		most := maxWarning
		if strings.Contains(warning, "kubectl ") {
			most = maxCommand
		}
		assert.LessOrEqual(n, len([]rune(warning)), most, warning)
		pattern := number.ReplaceAllString(warning, "#")
		if !n.thirdParties.contradicted() {
			assert.NotContains(n, seen, pattern, "%s has a warning twice: %q and %q", a.write, seen[pattern], warning)
		}
		seen[pattern] = warning
		if a.pod == nil {
			assert.NotRegexp(n, done, warning, "%s was refused", a.write)
		}
		if a.pod == nil || n.thirdParties.contradicted() {
			continue
		}
		for _, claim := range claims {
			if words := claim.sentence.FindStringSubmatch(warning); words != nil {
				assert.True(n, claim.holds(n, a.pod.ObjectMeta, words), "%s has the warning %q, which is not true", a.write, warning)
			}
		}
		for _, at := range timestamp.FindAllString(warning, -1) {
			assert.Equal(n, a.pod.Annotations[quarantine.ExpiresAtKey], at, "%s answers %q", a.write, warning)
		}
	}
}
