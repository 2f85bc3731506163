package main

import (
	"errors"
	"fmt"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation"

	"isolate.example.io/alertreceiver"
	"isolate.example.io/cmd/internal/command"
)

// maxPort is the highest port number.
const maxPort = 1<<16 - 1

// options are the command's flags.
type options struct {
	host      string
	port      int
	certDir   string
	tokenFile string

	config             alertreceiver.Config
	namespaces, alerts []string
}

// AddFlags implements [command.Options].
func (o *options) AddFlags(flags *command.Flags) {
	serving := flags.Group("Serving")
	serving.StringVar(&o.host, "host", "",
		"The address that receives alerts. All addresses by default.")
	serving.IntVar(&o.port, "port", 9095,
		"The port that receives alerts, at the path "+alertreceiver.Path+".")
	serving.StringVar(&o.certDir, "cert-dir", "",
		"The folder with tls.crt and tls.key, such as a mounted Secret. Changes are loaded. Without it, the receiver serves plain HTTP.")
	serving.StringVar(&o.tokenFile, "token-file", "/token/token",
		"The file with the token that each request must carry. Two lines are two tokens, for a rotation. Changes are loaded.")

	o.config = alertreceiver.DefaultConfig()
	o.addAlertFlags(flags.Group("Alerts"))
}

func (o *options) addAlertFlags(flags *pflag.FlagSet) {
	flags.StringSliceVar(&o.namespaces, "allowed-namespace", nil,
		"A namespace in which alerts may quarantine pods. Without it, every alert is refused. May be repeated.")
	flags.StringSliceVar(&o.alerts, "allowed-alert", nil,
		"The name of an alert that may quarantine pods. Without it, every alert is refused. May be repeated.")
	flags.StringVar(&o.config.NamespaceLabel, "namespace-label", o.config.NamespaceLabel,
		"The label of an alert with the namespace of the pod.")
	flags.StringVar(&o.config.PodLabel, "pod-label", o.config.PodLabel,
		"The label of an alert with the name of the pod.")
	flags.StringVar(&o.config.UIDLabel, "uid-label", o.config.UIDLabel,
		"The label of an alert with the UID of the pod. An alert without this label names whichever pod has the name when the alert arrives.")
	flags.StringVar(&o.config.TTLAnnotation, "ttl-annotation", o.config.TTLAnnotation,
		"The annotation of an alert that says how long to keep the pod, such as 36h. Without it, isolate's default applies.")
	flags.StringVar(&o.config.ReasonAnnotation, "reason-annotation", o.config.ReasonAnnotation,
		"The annotation of an alert that is the reason of the quarantine. The alert's name and fingerprint are added.")
}

// Validate implements [command.Options].
func (o *options) Validate() []error {
	var errs []error
	if o.port < 1 || o.port > maxPort {
		errs = append(errs, fmt.Errorf("--port is %d, and must be between 1 and %d", o.port, maxPort))
	}
	if o.tokenFile == "" {
		errs = append(errs, errors.New("--token-file is empty: name the file with the token"))
	}
	for _, namespace := range o.namespaces {
		if len(validation.IsDNS1123Label(namespace)) > 0 {
			errs = append(errs, fmt.Errorf("--allowed-namespace is %q, and must be the name of a namespace; patterns are not possible", namespace))
		}
	}
	for _, label := range []struct{ flag, name string }{
		{"namespace-label", o.config.NamespaceLabel}, {"pod-label", o.config.PodLabel}, {"uid-label", o.config.UIDLabel},
	} {
		if label.name == "" {
			errs = append(errs, fmt.Errorf("--%s is empty: name a label of the alerts", label.flag))
		}
	}
	o.config.Namespaces, o.config.Alerts = sets.New(o.namespaces...), sets.New(o.alerts...)
	return errs
}
