package main

import (
	"bytes"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDoctorTakesNoArguments(t *testing.T) {
	var stdout, stderr bytes.Buffer
	require.Equal(t, 2, examine(t.Context(), []string{"--all"}, &stdout, &stderr))
	require.Empty(t, stdout.String())
	require.Equal(t, "sweeper doctor takes no arguments, not --all\n", stderr.String())
}

func TestDoctorFailsWithoutAnAPIServer(t *testing.T) {
	t.Setenv("KUBECONFIG", filepath.Join(t.TempDir(), "none"))
	var stdout, stderr bytes.Buffer
	require.Equal(t, 1, examine(t.Context(), nil, &stdout, &stderr))
	require.NotEmpty(t, stdout.String()+stderr.String())
}
