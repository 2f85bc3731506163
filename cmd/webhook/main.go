// Command webhook answers the API server's admission reviews of pods.
package main

import (
	"os"

	"isolate.example.io/cmd/internal/command"
)

const purpose = "webhook answers the API server's admission reviews of pods: it takes a pod out of every selector in the write that asks for it."

func main() {
	os.Exit(command.Main("webhook", purpose, &options{}, os.Args[1:], os.Stdout, os.Stderr))
}
