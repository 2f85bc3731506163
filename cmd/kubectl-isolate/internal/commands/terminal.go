package commands

import (
	"bufio"
	"context"
	"fmt"
	"strings"

	"k8s.io/kubectl/pkg/util/term"
)

// isTerminal reports whether the input is a terminal, so that the command can ask.
func (s *session) isTerminal() bool { return term.TTY{In: s.In}.IsTerminalIn() }

// confirm asks a question, and returns an error unless the answer is yes.
func (s *session) confirm(ctx context.Context, question string) error {
	if !s.isTerminal() {
		return errNobodyToAsk
	}
	fmt.Fprintf(s.ErrOut, "%s [y/N] ", question)
	answers := make(chan string, 1)
	go func() {
		answer, _ := bufio.NewReader(s.In).ReadString('\n') // An error is no yes.
		answers <- answer
	}()
	select {
	case answer := <-answers:
		switch strings.ToLower(strings.TrimSpace(answer)) {
		case "y", "yes":
			return nil
		}
		return errNotConfirmed
	case <-ctx.Done(): // A terminal's read does not end by itself at Ctrl-C.
		fmt.Fprintln(s.ErrOut)
		return exitError{exitInterrupted, errNotConfirmed}
	}
}
