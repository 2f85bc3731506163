// Command sweeper deletes quarantined pods when their time is up.
package main

import (
	"os"

	"isolate.example.io/cmd/internal/command"
)

const purpose = "sweeper deletes quarantined pods when their time is up, tells of them by events, and sees that nothing selects them again."

func main() {
	os.Exit(command.Main("sweeper", purpose, &options{}, os.Args[1:], os.Stdout, os.Stderr))
}
