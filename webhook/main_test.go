package webhook

import (
	"os"
	"testing"
)

// serveVariable has the test binary serve reviews in place of running tests, so that
// a test can measure the memory of a webhook without that of its clients.
const serveVariable = "ISOLATE_TEST_SERVE"

func TestMain(m *testing.M) {
	if os.Getenv(serveVariable) != "" {
		serveUntilStdinCloses()
		os.Exit(0)
	}
	os.Exit(m.Run())
}
