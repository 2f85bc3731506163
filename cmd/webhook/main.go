// Command webhook answers the API server's admission reviews of pods.
package main

import (
	"os"

	"isolate.example.io/cmd/internal/command"
)

func main() { os.Exit(command.Main("webhook", &options{}, os.Args[1:], os.Stderr)) }
