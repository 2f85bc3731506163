package sweeper

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"isolate.example.io/test/framework/audit"
)

// auditLog is the API server's audit log of pod deletions. Only the API server knows all
// requests of several processes, some of which were killed.
var auditLog audit.Log

// audited configures an API server to write [auditLog].
func audited(environment *envtest.Environment, dir string) (err error) {
	auditLog, err = audit.New(dir, `{"level": "Metadata", "verbs": ["delete"], "resources": [{"group": "", "resources": ["pods"]}]}`)
	for name, value := range auditLog.Flags() {
		environment.ControlPlane.GetAPIServer().Configure().Append(name, value)
	}
	return err
}

// deletionsInAuditLog counts the successful delete requests for each pod of a namespace.
// (An interrupted request does not count.)
func deletionsInAuditLog(t *testing.T, namespace string) map[string]int {
	t.Helper()
	entries, err := auditLog.Entries()
	require.NoError(t, err)
	counted := map[string]int{}
	for _, entry := range entries {
		if entry.ObjectRef.Namespace == namespace && entry.ResponseStatus.Code < http.StatusMultipleChoices {
			counted[entry.ObjectRef.Name]++
		}
	}
	require.NotEmpty(t, counted)
	return counted
}
