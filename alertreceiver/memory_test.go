package alertreceiver

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestMemory(t *testing.T) {
	annotation, err := recall("").with(fingerprint, noon.In(time.FixedZone("CET", 3600)))
	require.NoError(t, err)
	require.JSONEq(t, `{"1a2b3c4d5e6f7081":"2026-03-01T12:00:00Z"}`, annotation)
	m := recall(annotation)
	require.True(t, m.has(fingerprint, noon), "the same alert")
	require.True(t, m.has(fingerprint, noon.Add(-time.Second)), "another Prometheus saw it earlier")
	require.False(t, m.has(fingerprint, noon.Add(time.Second)), "it was resolved, and fires again")
	require.False(t, m.has("ffffffffffffffff", noon), "another alert")
}

func TestMemoryIsBounded(t *testing.T) {
	var annotation string
	var err error
	for i := range 3 * maxRemembered {
		annotation, err = recall(annotation).with(fmt.Sprintf("%016x", i), noon.Add(time.Duration(i)*time.Second))
		require.NoError(t, err)
	}
	m := recall(annotation)
	require.Len(t, m, maxRemembered)
	require.True(t, m.has(fmt.Sprintf("%016x", 3*maxRemembered-1), noon))
	require.False(t, m.has("0000000000000000", noon), "the oldest is forgotten")

	annotation, err = m.with(fingerprint, noon.Add(-time.Hour))
	require.NoError(t, err)
	require.True(t, recall(annotation).has(fingerprint, noon.Add(-time.Hour)), "an alert is remembered even if it began first")
	require.Len(t, recall(annotation), maxRemembered)
}

func TestAnUnreadableMemoryIsNone(t *testing.T) {
	for _, annotation := range []string{"null", "[]", "{", `{"a":1}`, `"x"`, "web"} {
		require.Empty(t, recall(annotation), annotation)
		_, err := recall(annotation).with(fingerprint, noon)
		require.NoError(t, err, annotation)
	}
}
