package faults

import (
	"testing"

	"isolate.example.io/test/framework/suite"
)

// binaries and programs are the folders with the control plane's and isolate's programs.
var binaries, programs string

func TestMain(m *testing.M) {
	suite.Main(m, func(s *suite.Suite) (err error) {
		if binaries, err = s.Binaries(); err != nil {
			return err
		}
		programs, err = s.Programs()
		return err
	})
}
