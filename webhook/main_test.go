package webhook

import (
	"os"
	"testing"
)

// serveVariable is an environment variable. With it, the test binary serves reviews instead
// of running tests, so that a test can measure a webhook's memory without its clients'.
const serveVariable = "ISOLATE_TEST_SERVE"

func TestMain(m *testing.M) {
	if os.Getenv(serveVariable) != "" {
		serveUntilStdinCloses()
		os.Exit(0)
	}
	os.Exit(m.Run())
}
