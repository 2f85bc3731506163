package alertreceiver

import (
	"encoding/json"
	"time"
)

// maxRemembered bounds the alerts that a pod's annotation remembers.
const maxRemembered = 16

// memory has the alerts that were acted on for a pod: the start time of each, by its
// fingerprint. Alertmanager repeats a notification while an alert fires, so without it a
// released pod would be quarantined again.
type memory map[string]time.Time

// recall parses the annotation. A value that the receiver did not write is none.
func recall(annotation string) memory {
	m := memory{}
	if json.Unmarshal([]byte(annotation), &m) != nil || m == nil {
		return memory{}
	}
	return m
}

// has reports whether the alert was acted on. An alert with a new start time was resolved
// in between; one with an earlier start time is the same, because Alertmanager keeps the
// earliest that any Prometheus replica sends.
func (m memory) has(fingerprint string, startsAt time.Time) bool {
	known, ok := m[fingerprint]
	return ok && !startsAt.After(known)
}

// with returns the annotation that remembers the alert too. Beyond the bound, it forgets the
// alerts that began first.
func (m memory) with(fingerprint string, startsAt time.Time) (string, error) {
	next := memory{fingerprint: startsAt.UTC()}
	for len(next) < maxRemembered {
		newest := ""
		for known, at := range m {
			if _, kept := next[known]; !kept && (newest == "" || at.After(m[newest]) || at.Equal(m[newest]) && known > newest) {
				newest = known
			}
		}
		if newest == "" {
			break
		}
		next[newest] = m[newest]
	}
	data, err := json.Marshal(next)
	return string(data), err
}
