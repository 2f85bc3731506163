package alertreceiver

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func tokenFile(t *testing.T, content string) TokenFile {
	t.Helper()
	file := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(file, []byte(content), 0o600))
	return TokenFile(file)
}

func TestTokens(t *testing.T) {
	old, fresh := strings.Repeat("a", 16), strings.Repeat("b", 64)
	file := tokenFile(t, old+"\n\n  "+fresh+"\r\n")
	require.NoError(t, file.Ready(nil))
	authorized := []string{scheme + old, scheme + fresh}
	for _, header := range append([]string{
		"", "Bearer", scheme, old, "bearer " + old, "Basic " + old,
		scheme + old[1:], scheme + old + " ", scheme + " " + old, scheme + old + "\n" + fresh,
	}, authorized...) {
		r := httptest.NewRequest(http.MethodPost, Path, nil)
		r.Header["Authorization"] = []string{header}
		if slices.Contains(authorized, header) {
			require.NoError(t, file.authorize(r), header)
		} else {
			require.ErrorIs(t, file.authorize(r), errUnauthorized, header)
		}
	}
}

func TestAFileWithoutATokenAuthorizesNobody(t *testing.T) {
	for content, message := range map[string]string{
		"": "is empty: create a token with openssl rand -hex 32", "\n \n": "is empty", "short": "has a token of less than 16 characters",
		strings.Repeat("a", 20) + "\nshort": "has a token of less than 16 characters",
	} {
		file := tokenFile(t, content)
		require.ErrorContains(t, file.Ready(nil), message)
		r := httptest.NewRequest(http.MethodPost, Path, nil)
		r.Header.Set("Authorization", scheme+strings.TrimSpace(content))
		require.Error(t, file.authorize(r))
	}
	missing := TokenFile(filepath.Join(t.TempDir(), "token"))
	require.ErrorContains(t, missing.Ready(nil), "reading the token: open")
}
