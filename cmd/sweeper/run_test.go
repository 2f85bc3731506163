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
	process, err := command.Parse("sweeper", o, []string{"--leader-elect=false", "--health-address=127.0.0.1:0", "--metrics-address=0"})
	require.NoError(t, err)
	request := requests.For(t, "/pods", func(ctx context.Context) error { return o.Run(ctx, process) })
	require.Empty(t, request.Header.Get("Accept-Encoding"))
}
