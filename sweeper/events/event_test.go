package events

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
)

func TestTheNameOfAnEventFollowsFromItsIdentity(t *testing.T) {
	first, again, later := event("a"), event("a"), event("b")
	again.Note = "in other words"
	require.Equal(t, first.Name(), again.Name(), "the note is not part of it")
	require.NotEqual(t, first.Name(), later.Name())
	require.Regexp(t, `^web-1\.[0-9a-f]{16}$`, first.Name())

	other := event("a")
	other.Regarding.UID = "uid-2"
	require.NotEqual(t, first.Name(), other.Name(), "another pod of the same name")
	other.Regarding.Name = strings.Repeat("a", 199) + ".b" + strings.Repeat("c", 50)
	require.Regexp(t, `^a{199}\.[0-9a-f]{16}$`, other.Name(), "a name has at most 253 characters")
	other.Regarding.Name = "system:odd"
	require.Regexp(t, `^isolate\.[0-9a-f]{16}$`, other.Name(), "some kinds allow any name")
}

func TestAnEventIsValid(t *testing.T) {
	e := event(strings.Repeat("ä", 600))
	object := e.object(Reporter{"isolate.example.io/sweeper", strings.Repeat("h", 200)}, noon)
	require.LessOrEqual(t, len(object.Note), 1024)
	require.True(t, strings.HasSuffix(object.Note, "ä…"))
	require.LessOrEqual(t, len(object.ReportingInstance), 128)
	require.Equal(t, "isolate.example.io/sweeper", object.ReportingController)
	require.Equal(t, corev1.EventTypeNormal, object.Type)
	require.Equal(t, "ah", object.Namespace)
}
