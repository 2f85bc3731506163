// Command sweeper deletes quarantined pods when their time is up.
package main

import (
	"os"

	"isolate.example.io/cmd/internal/command"
)

func main() { os.Exit(command.Main("sweeper", &options{}, os.Args[1:], os.Stderr)) }
