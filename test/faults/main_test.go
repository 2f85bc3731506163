package faults

import (
	"os"
	"testing"

	"isolate.example.io/test/faults/machine"
	"isolate.example.io/test/framework/suite"
)

// binaries and programs are the folders with the control plane's and isolate's programs, and
// settable has isolate's programs with clocks that can be set.
var binaries, programs, settable string

func TestMain(m *testing.M) {
	suite.Main(m, func(s *suite.Suite) (err error) {
		if binaries, err = s.Binaries(); err != nil {
			return err
		}
		if programs, err = s.Programs(); err != nil {
			return err
		}
		settable, err = machine.Build(s.Context, os.Stderr)
		return err
	})
}
