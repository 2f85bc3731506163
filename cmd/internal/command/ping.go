package command

import "os"

// The programs decide by watches, which all share one HTTP/2 connection. client-go
// notices after 45 seconds that a connection has gone silent. With these, a ping is
// sent after two seconds without a frame, and the connection is closed three seconds
// after that.
const readIdleSeconds, pingSeconds = "2", "3"

// setPings sets the variables from which client-go's transport takes its health check
// (k8s.io/apimachinery/pkg/util/net), unless an operator has set them.
func setPings() error {
	for variable, value := range map[string]string{
		"HTTP2_READ_IDLE_TIMEOUT_SECONDS": readIdleSeconds, "HTTP2_PING_TIMEOUT_SECONDS": pingSeconds,
	} {
		if os.Getenv(variable) != "" {
			continue
		}
		if err := os.Setenv(variable, value); err != nil {
			return err
		}
	}
	return nil
}
