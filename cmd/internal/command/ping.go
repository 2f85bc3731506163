package command

import "os"

// The programs depend on watches, which all share one HTTP/2 connection. By default,
// client-go takes 45 seconds to notice that a connection is dead. With these values, it
// sends a ping after two seconds without a frame, and closes the connection after three
// more.
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
