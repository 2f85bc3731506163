package expiry

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// auditLog is where the API server notes who asked it to delete pods: what several
// processes did, killed ones among them, is known to it alone.
var auditLog string

const auditPolicy = `{"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"], "rules": [
	{"level": "Metadata", "verbs": ["delete"], "resources": [{"group": "", "resources": ["pods"]}]}, {"level": "None"}]}`

// audited has an API server write the log.
func audited(environment *envtest.Environment, dir string) error {
	policy := filepath.Join(dir, "policy.json")
	auditLog = filepath.Join(dir, "audit.log")
	environment.ControlPlane.GetAPIServer().Configure().
		Append("audit-policy-file", policy).
		Append("audit-log-path", auditLog)
	return os.WriteFile(policy, []byte(auditPolicy), 0o600)
}

// deletionsInAuditLog counts for each pod of a namespace the deletions that the API
// server has taken. (One whose request was interrupted is not among them.)
func deletionsInAuditLog(t *testing.T, namespace string) map[string]int {
	t.Helper()
	data, err := os.ReadFile(auditLog)
	require.NoError(t, err)
	counted := map[string]int{}
	for line := range strings.Lines(string(data)) {
		var event struct {
			ObjectRef      struct{ Namespace, Name string }
			ResponseStatus struct{ Code int }
		}
		if json.Unmarshal([]byte(line), &event) == nil && event.ObjectRef.Namespace == namespace && event.ResponseStatus.Code < 300 {
			counted[event.ObjectRef.Name]++
		}
	}
	require.NotEmpty(t, counted)
	return counted
}
