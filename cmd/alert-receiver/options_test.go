package main

import (
	"bytes"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/util/sets"

	"isolate.example.io/alertreceiver"
	"isolate.example.io/cmd/internal/command"
)

func TestByDefaultNoAlertIsAllowed(t *testing.T) {
	o := &options{}
	_, err := command.Parse("alert-receiver", o, nil)
	require.NoError(t, err)
	require.Equal(t, 9095, o.port)
	require.Equal(t, "/token/token", o.tokenFile)
	require.Empty(t, o.config.Namespaces)
	require.Empty(t, o.config.Alerts)
}

func TestFlagsAreParsed(t *testing.T) {
	o := &options{}
	_, err := command.Parse("alert-receiver", o, []string{
		"--host=127.0.0.1", "--port=8443", "--cert-dir=certs", "--token-file=secret",
		"--allowed-namespace=shop,web", "--allowed-namespace=pay", "--allowed-alert=PodServesErrors",
		"--namespace-label=kube_namespace", "--pod-label=kube_pod", "--uid-label=kube_uid", "--ttl-annotation=keep", "--reason-annotation=description",
	})
	require.NoError(t, err)
	require.Equal(t, alertreceiver.Config{
		Namespaces: sets.New("shop", "web", "pay"), Alerts: sets.New("PodServesErrors"),
		NamespaceLabel: "kube_namespace", PodLabel: "kube_pod", UIDLabel: "kube_uid",
		TTLAnnotation: "keep", ReasonAnnotation: "description",
	}, o.config)
	require.Equal(t, []string{"127.0.0.1", "certs", "secret"}, []string{o.host, o.certDir, o.tokenFile})
	require.Equal(t, 8443, o.port)
}

func TestInvalidFlagsAreAllReported(t *testing.T) {
	var stderr bytes.Buffer
	code := command.Main("alert-receiver", purpose, &options{}, []string{
		"--port=0", "--token-file=", "--allowed-namespace=*", "--allowed-namespace=--all", "--pod-label=", "--uid-label=",
	}, io.Discard, &stderr)
	require.Equal(t, 2, code)
	require.Equal(t, `--port is 0, and must be between 1 and 65535
--token-file is empty: name the file with the token
--allowed-namespace is "*", and must be the name of a namespace; patterns are not possible
--allowed-namespace is "--all", and must be the name of a namespace; patterns are not possible
--pod-label is empty: name a label of the alerts
--uid-label is empty: name a label of the alerts
`, stderr.String())
}
