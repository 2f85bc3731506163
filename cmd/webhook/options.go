package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"isolate.example.io/cmd/internal/command"
	"isolate.example.io/quarantine"
)

// maxPort is the highest port number.
const maxPort = 1<<16 - 1

// maxDrainPeriod is longer than any cluster needs to notice that a pod is terminating.
const maxDrainPeriod = time.Minute

// options are the command's flags.
type options struct {
	host    string
	port    int
	certDir string

	clientCA string

	drainPeriod time.Duration

	rules          quarantine.Config
	replacingKinds []string
	selecting      command.SelectingResources
}

// AddFlags implements [command.Options].
func (o *options) AddFlags(flags *command.Flags) {
	serving := flags.Group("Serving")
	serving.StringVar(&o.host, "host", "",
		"The address that serves admission reviews. All addresses by default.")
	serving.IntVar(&o.port, "port", 10250,
		"The port that serves admission reviews. The default is the one that private GKE clusters let the control plane reach.")
	serving.StringVar(&o.certDir, "cert-dir", "/tls",
		"The folder with tls.crt and tls.key, such as a mounted Secret. Changes are loaded.")
	serving.StringVar(&o.clientCA, "client-ca", "",
		"A file with the CAs of the client certificate that the API server presents to webhooks, if it is configured to. "+
			"Without it, anyone who reaches the port can send reviews.")
	command.DurationVar(serving, &o.drainPeriod, "drain-period", 10*time.Second,
		"Minimum time to keep serving after SIGTERM, while not ready and closing each connection after its response. "+
			"The webhook stops when the API server has closed every connection, after 95 seconds at the latest. "+
			"At most one minute; 0s stops at once.")

	o.rules = quarantine.DefaultConfig()
	o.addTimeFlags(flags.Group("How long a pod is kept"))
	o.addBudgetFlags(flags.Group("Budgets"))
	o.addLabelFlags(flags.Group("Labels and controllers"))
}

func (o *options) addTimeFlags(flags *pflag.FlagSet) {
	command.DurationVar(flags, &o.rules.DefaultTTL, "default-ttl", o.rules.DefaultTTL,
		"How long a quarantined pod is kept if it sets no ttl, such as 90m, 36h or 7d.")
	command.DurationVar(flags, &o.rules.MaxTTL, "max-ttl", o.rules.MaxTTL,
		"The longest ttl and extend that a pod may set.")
}

func (o *options) addBudgetFlags(flags *pflag.FlagSet) {
	flags.IntVar(&o.rules.ControllerBudget, "controller-budget", o.rules.ControllerBudget,
		"How many pods of one controller, such as a Deployment, may be quarantined at a time without force; 0 is no limit.")
	flags.IntVar(&o.rules.NamespaceBudget, "namespace-budget", o.rules.NamespaceBudget,
		"How many pods of one namespace may be quarantined at a time without force; 0 is no limit. "+
			"A Namespace can override both budgets, default-ttl and max-ttl by an annotation, such as isolate.example.io/namespace-budget.")
}

func (o *options) addLabelFlags(flags *pflag.FlagSet) {
	flags.StringVar(&o.rules.Prefix, "label-prefix", o.rules.Prefix,
		"The prefix of a rewritten label's value, before a dash and the old value. Quarantined pods keep theirs.")
	flags.StringSliceVar(&o.rules.ExtraKeys, "rewrite-label", nil,
		"A further label to rewrite in every quarantine, even if no selector requires it. May be repeated.")
	flags.StringSliceVar(&o.replacingKinds, "replacing-kind", nil,
		"A further kind of controller, as Kind.group, that replaces a pod which lost its labels, such as "+
			"CloneSet.apps.kruise.io. Its pods need no force. Every label is rewritten unless --selecting-resource says "+
			"where the selector is. May be repeated.")
	o.selecting.AddFlag(flags)
}

// Validate implements [command.Options].
func (o *options) Validate() []error {
	var errs []error
	if o.port < 1 || o.port > maxPort {
		errs = append(errs, fmt.Errorf("--port is %d, and must be between 1 and %d", o.port, maxPort))
	}
	if o.certDir == "" {
		errs = append(errs, errors.New("--cert-dir is empty: name the folder with tls.crt and tls.key"))
	}
	if o.drainPeriod < 0 || o.drainPeriod > maxDrainPeriod {
		errs = append(errs, fmt.Errorf("--drain-period is %s, and must be between 0s and %s", command.Short(o.drainPeriod), command.Short(maxDrainPeriod)))
	}
	o.rules.ReplacingKinds = nil
	for _, kind := range o.replacingKinds {
		parsed := schema.ParseGroupKind(kind)
		if parsed.Kind == "" || parsed.Group == "" {
			errs = append(errs, fmt.Errorf("--replacing-kind is %q, and must be a kind and its group, such as CloneSet.apps.kruise.io", kind))
			continue
		}
		o.rules.ReplacingKinds = append(o.rules.ReplacingKinds, parsed)
	}
	errs = append(errs, o.selecting.Validate()...)
	for _, problem := range o.rules.Validate() {
		errs = append(errs, fmt.Errorf("--%s is %q, and %s", ruleFlags[problem.Field], fmt.Sprint(problem.BadValue), problem.Detail))
	}
	return errs
}

// ruleFlags are the flags that set the rules, by the name of the rule.
var ruleFlags = map[string]string{
	"prefix":     "label-prefix",
	"extraKeys":  "rewrite-label",
	"defaultTTL": "default-ttl",
	"maxTTL":     "max-ttl",

	"controllerBudget": "controller-budget",
	"namespaceBudget":  "namespace-budget",
}
