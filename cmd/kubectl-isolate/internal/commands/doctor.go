package commands

import (
	"context"

	"github.com/spf13/cobra"

	"isolate.example.io/doctor"
)

func newDoctorCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:     "doctor",
		Short:   "Check whether a quarantine would work here, and what to do if not",
		Long:    longDoctor,
		Example: exampleDoctor,
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return s.doctor(command.Context())
		},
	}
}

func (s *session) doctor(ctx context.Context) error {
	namespace, err := s.namespace()
	if err != nil {
		return err
	}
	client, err := s.client(&warningList{}) // The warnings are about the pod of the dry run, which nobody quarantines.
	if err != nil {
		return err
	}
	if doctor.Report(ctx, client, s.clock, namespace, s.Out) == doctor.Failed {
		return errDoctor(namespace)
	}
	return nil
}
