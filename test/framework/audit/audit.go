package audit

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Log is the audit log of an API server.
type Log struct{ path, policy string }

// Entry is a request that was answered, or a watch that was started.
type Entry struct {
	User           struct{ Username string }
	Verb           string
	ObjectRef      struct{ APIGroup, Resource, Subresource, Namespace, Name string }
	RequestURI     string
	ResponseStatus struct{ Code int }

	// RequestReceivedTimestamp is the API server's time.
	RequestReceivedTimestamp time.Time

	// ResponseObject is the answer, at the level RequestResponse.
	ResponseObject json.RawMessage

	// Annotations include the authorizer's decision.
	Annotations map[string]string
}

// New prepares a log in a folder. Only what the audit policy rule matches is logged.
func New(dir, rule string) (Log, error) {
	log := Log{path: filepath.Join(dir, "audit.log"), policy: filepath.Join(dir, "audit-policy.json")}
	policy := fmt.Sprintf(`{"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"], "rules": [%s, {"level": "None"}]}`, rule)
	return log, os.WriteFile(log.policy, []byte(policy), 0o600)
}

// Flags returns the API server's flags by name.
func (l Log) Flags() map[string]string {
	return map[string]string{"audit-log-path": l.path, "audit-policy-file": l.policy}
}

// Entries returns what is logged so far.
func (l Log) Entries() ([]Entry, error) {
	data, err := os.ReadFile(l.path)
	if err != nil {
		return nil, fmt.Errorf("reading the audit log: %w", err)
	}
	var entries []Entry
	for line := range strings.Lines(string(data)) {
		if !strings.HasSuffix(line, "\n") {
			break // Still being written.
		}
		var entry Entry
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			return nil, fmt.Errorf("reading the audit log: %w", err)
		}
		entries = append(entries, entry)
	}
	return entries, nil
}
