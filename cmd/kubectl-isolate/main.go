// Command kubectl-isolate is the kubectl plugin of isolate: it shows what a
// quarantine would do, does it, and collects evidence, with the caller's own permissions.
package main

import (
	"os"

	"k8s.io/cli-runtime/pkg/genericiooptions"

	"isolate.example.io/cmd/kubectl-isolate/internal/commands"
)

func main() {
	streams := genericiooptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr}
	os.Exit(commands.Main(os.Args, streams))
}
