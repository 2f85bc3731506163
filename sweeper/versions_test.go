package sweeper

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The pods are those that package quarantine keeps, of each release.
func TestARecordOfAnyReleaseIsSwept(t *testing.T) {
	files, err := filepath.Glob("../quarantine/testdata/records/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		pod := &metav1.PartialObjectMetadata{}
		require.NoError(t, json.Unmarshal(data, pod))
		expiresAt := time.Date(2026, 3, 15, 15, 9, 27, 0, time.UTC)
		before, _ := judge(pod, expiresAt.Add(-time.Second))
		require.Equal(t, VerdictWaiting, before, file)
		at, _ := judge(pod, expiresAt)
		require.Equal(t, VerdictExpired, at, file)
	}
}
