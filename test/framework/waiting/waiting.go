package waiting

import (
	"context"
	"fmt"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

const (
	// Patience bounds every wait. It only costs time when a test fails, so it is
	// long enough for a machine that is busy with other builds.
	Patience = 2 * time.Minute

	// Interval is the time between two checks of a condition.
	Interval = 20 * time.Millisecond
)

// Until waits until the condition holds.
func Until(t testing.TB, condition func() bool, what string, args ...any) {
	t.Helper()
	Poll(t, func(context.Context) (bool, error) { return condition(), nil }, what, args...)
}

// NoError waits until the function returns nil, and otherwise fails with its last
// error.
func NoError(t testing.TB, condition func() error, what string, args ...any) {
	t.Helper()
	var last error
	err := poll(t, func(context.Context) (bool, error) {
		last = condition()
		return last == nil, nil
	})
	if err != nil {
		t.Fatalf("waiting until %s: %v; last error: %v", fmt.Sprintf(what, args...), err, last)
	}
}

// Poll waits until the condition returns true. An error of the condition ends the
// wait.
func Poll(t testing.TB, condition wait.ConditionWithContextFunc, what string, args ...any) {
	t.Helper()
	if err := poll(t, condition); err != nil {
		t.Fatalf("waiting until %s: %v", fmt.Sprintf(what, args...), err)
	}
}

func poll(t testing.TB, condition wait.ConditionWithContextFunc) error {
	return wait.PollUntilContextTimeout(t.Context(), Interval, Patience, true, condition)
}
