package commands

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"k8s.io/kubectl/pkg/util/term"
)

// isTerminal reports whether the input is a terminal, so that the command can ask.
func (s *session) isTerminal() bool { return term.TTY{In: s.In}.IsTerminalIn() }

// confirm asks a question, and returns an error unless the answer is yes.
func (s *session) confirm(question string) error {
	if !s.isTerminal() {
		return errNobodyToAsk
	}
	fmt.Fprintf(s.ErrOut, "%s [y/N] ", question)
	answer, err := bufio.NewReader(s.In).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	return errNotConfirmed
}
