package sweeper

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"isolate.example.io/test/framework/audit"
)

// auditLog is where the API server notes who asked it to delete pods: what several
// processes did, killed ones among them, is known to it alone.
var auditLog audit.Log

// audited has an API server write the log.
func audited(environment *envtest.Environment, dir string) (err error) {
	auditLog, err = audit.New(dir, `{"level": "Metadata", "verbs": ["delete"], "resources": [{"group": "", "resources": ["pods"]}]}`)
	for name, value := range auditLog.Flags() {
		environment.ControlPlane.GetAPIServer().Configure().Append(name, value)
	}
	return err
}

// deletionsInAuditLog counts for each pod of a namespace the deletions that the API
// server has taken. (One whose request was interrupted is not among them.)
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
