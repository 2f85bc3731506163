package commands

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"isolate.example.io/cmd/kubectl-isolate/internal/checkup"
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
	works := true
	for result := range checkup.Run(ctx, client, s.clock, namespace) {
		fmt.Fprintf(s.Out, "%-8s %s\n", result.Level, result.Text)
		if result.Advice != "" {
			fmt.Fprintf(s.Out, "%-8s %s\n", "", result.Advice)
		}
		works = works && result.Level != checkup.Failed
	}
	if !works {
		return errDoctor(namespace)
	}
	return nil
}
