package main

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"isolate.example.io/cmd/internal/command"
	"isolate.example.io/test/framework/requests"
)

func TestListsAreNotCompressed(t *testing.T) {
	o := &options{}
	process, err := command.Parse("webhook", o, []string{"--host=127.0.0.1", "--drain-period=0s", "--cert-dir=" + t.TempDir(), "--health-address=127.0.0.1:0", "--metrics-address=0"})
	require.NoError(t, err)
	o.port = 0
	request := requests.For(t, "/replicasets", func(ctx context.Context) error { return o.Run(ctx, process) })
	require.Empty(t, request.Header.Get("Accept-Encoding"))
}
