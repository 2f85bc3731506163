package evidence

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	testingclock "k8s.io/utils/clock/testing"
)

var errRefused = errors.New("refused")

func text(content string) func(io.Writer) error {
	return func(to io.Writer) error {
		_, err := io.WriteString(to, content)
		return err
	}
}

func archive(t *testing.T, maxBytes, maxTotal int64, add func(*Writer)) (*bytes.Buffer, *Manifest) {
	t.Helper()
	var out bytes.Buffer
	local := testingclock.NewFakePassiveClock(time.Date(2026, 11, 26, 2, 15, 0, 0, time.UTC))
	w, err := NewWriter(&out, Manifest{MaxBytes: maxBytes, MaxTotalBytes: maxTotal}, local)
	require.NoError(t, err)
	defer w.Discard()
	add(w)
	require.NoError(t, w.Close())
	return &out, &w.Manifest
}

func TestAWrittenArchiveIsVerified(t *testing.T) {
	out, written := archive(t, 100, 1000, func(w *Writer) {
		require.NoError(t, w.Add("a", "/a", text("hello"), nil))
		require.NoError(t, w.Add("empty", "/empty", text(""), nil))
	})
	read, differences, err := Verify(bytes.NewReader(out.Bytes()))
	require.NoError(t, err)
	require.Empty(t, differences)
	require.Equal(t, written, read)
	require.Equal(t, []File{
		{Name: "a", Source: "/a", SHA256: "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824", Bytes: 5},
		{Name: "empty", Source: "/empty", SHA256: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
	}, read.Files)
}

func TestTheManifestNamesFilesCutAtALimit(t *testing.T) {
	_, manifest := archive(t, 4, 6, func(w *Writer) {
		for _, name := range []string{"a", "b", "c"} {
			require.NoError(t, w.Add(name, "/", text("12345"), nil))
		}
		require.NoError(t, w.Add("fits", "/", text(""), nil))
	})
	var sizes []int64
	for _, file := range manifest.Files {
		require.Equal(t, file.Name != "fits", file.Cut, file.Name)
		sizes = append(sizes, file.Bytes)
	}
	require.Equal(t, []int64{4, 2, 0, 0}, sizes)
}

func TestAFailureIsRecordedAndTheNextFileIsWritten(t *testing.T) {
	_, manifest := archive(t, 100, 100, func(w *Writer) {
		reason := func(err error) string { return "because of " + err.Error() }
		require.NoError(t, w.Add("none", "/none", func(io.Writer) error { return errRefused }, reason))
		require.NoError(t, w.Add("half", "/half", func(to io.Writer) error { return errors.Join(text("half")(to), errRefused) }, reason))
		require.NoError(t, w.Add("whole", "/whole", text("whole"), reason))
	})
	require.Equal(t, []Missing{{Name: "none", Source: "/none", Reason: "because of refused", Message: "refused"}}, manifest.Missing)
	require.Len(t, manifest.Files, 2)
	require.Equal(t, "refused", manifest.Files[0].Error)
	require.Empty(t, manifest.Files[1].Error)
}

func TestATruncatedArchiveIsNotVerified(t *testing.T) {
	out, _ := archive(t, 100, 100, func(w *Writer) { require.NoError(t, w.Add("a", "/", text(strings.Repeat("x", 100)), nil)) })
	for size := range out.Len() - 1 {
		_, _, err := Verify(bytes.NewReader(out.Bytes()[:size]))
		require.Error(t, err, "%d bytes of %d", size, out.Len())
	}
}

func TestRedactRemovesValuesAndKeepsReferences(t *testing.T) {
	var object any
	require.NoError(t, json.Unmarshal([]byte(`{
		"metadata": {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": "SECRET", "team": "web"}},
		"spec": {"template": {"spec": {
			"initContainers": [{"env": [{"name": "A", "value": "SECRET"}]}],
			"containers": [{"args": ["--keep"], "env": [{"name": "B", "value": "SECRET"}, {"name": "C", "valueFrom": {"secretKeyRef": {"name": "db", "key": "password"}}}, {"name": "D", "value": "SECRET"}]}],
			"ephemeralContainers": [{"env": [{"name": "E", "value": "SECRET"}]}]
		}}}}`), &object))
	Redact(object)
	redactedObject, err := json.Marshal(object)
	require.NoError(t, err)
	require.NotContains(t, string(redactedObject), "SECRET")
	for _, kept := range []string{`"secretKeyRef":{"key":"password","name":"db"}`, `"--keep"`, `"team":"web"`, `"name":"A"`, `"name":"E"`} {
		require.Contains(t, string(redactedObject), kept)
	}
}
