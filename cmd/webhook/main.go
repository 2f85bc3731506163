// Command webhook answers the API server's admission reviews of pods.
package main

import (
	"os"

	"isolate.example.io/cmd/internal/command"
)

const purpose = "webhook answers admission reviews of pods: in the write that asks for it, it detaches a pod from everything that selects or controls it."

func main() {
	os.Exit(command.Main("webhook", purpose, &options{}, os.Args[1:], os.Stdout, os.Stderr))
}
