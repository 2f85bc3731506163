package command

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/pflag"
)

// helpWidth is the greatest width of --help.
const helpWidth = 100

// Flags are a program's flags, in the groups that --help shows.
type Flags struct{ groups []*pflag.FlagSet }

// Group adds a group with a title. --help shows its flags in the order of their addition.
func (f *Flags) Group(title string) *pflag.FlagSet {
	group := pflag.NewFlagSet(title, pflag.ContinueOnError)
	group.SortFlags = false
	f.groups = append(f.groups, group)
	return group
}

func newFlags(options Options, process *Process) *Flags {
	f := &Flags{}
	options.AddFlags(f)
	process.addFlags(f)
	return f
}

// help returns the output of --help.
func help(name, purpose string, options Options) string {
	var text strings.Builder
	fmt.Fprintf(&text, "%s\n\nUsage: %s [flags]\n", purpose, name)
	for _, group := range newFlags(options, &Process{}).groups {
		fmt.Fprintf(&text, "\n%s:\n%s", group.Name(), group.FlagUsagesWrapped(helpWidth))
	}
	return text.String()
}

// parse parses arguments and returns every problem. The only error is [pflag.ErrHelp].
func (f *Flags) parse(name string, args []string) (problems []error, err error) {
	all := pflag.NewFlagSet(name, pflag.ContinueOnError)
	all.Usage = func() {}
	for _, group := range f.groups {
		all.AddFlagSet(group)
	}
	// One at a time, because pflag stops at the first invalid one.
	for len(args) > 0 {
		taken := 1
		err := all.Parse(args[:1])
		var alone *pflag.ValueRequiredError
		if errors.As(err, &alone) && len(args) > 1 {
			taken = 2
			err = all.Parse(args[:2])
		}
		args = args[taken:]
		switch {
		case errors.Is(err, pflag.ErrHelp):
			return nil, err
		case err != nil:
			problems = append(problems, problem(name, err))
			forget(err)
		case all.NArg() > 0:
			problems = append(problems, fmt.Errorf("%s takes flags only, not %s; see --help", name, strings.Join(all.Args(), " ")))
		}
	}
	return problems, nil
}

// forget resets a flag with an invalid value to its default. pflag may have left it empty,
// and Validate could report that as one more problem.
func forget(err error) {
	var invalid *pflag.InvalidValueError
	if !errors.As(err, &invalid) {
		return
	}
	flag := invalid.GetFlag()
	if _, many := flag.Value.(pflag.SliceValue); !many {
		_ = flag.Value.Set(flag.DefValue)
	}
}

// problem says what is wrong with a flag, and which values it takes.
func problem(name string, err error) error {
	var unknown *pflag.NotExistError
	var alone *pflag.ValueRequiredError
	var invalid *pflag.InvalidValueError
	switch {
	case errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() != "":
		return fmt.Errorf("%s has no flag -%s; see --help", name, unknown.GetSpecifiedShortnames())
	case errors.As(err, &unknown):
		return fmt.Errorf("%s has no flag --%s; see --help", name, unknown.GetSpecifiedName())
	case errors.As(err, &alone):
		return fmt.Errorf("--%s has no value, and takes %s", alone.GetSpecifiedName(), values(alone.GetFlag()))
	case errors.As(err, &invalid):
		return fmt.Errorf("--%s is %q, and must be %s", invalid.GetFlag().Name, invalid.GetValue(), values(invalid.GetFlag()))
	}
	return fmt.Errorf("%s can't read its flags: %w; see --help", name, err)
}

// values says which values a flag takes.
func values(flag *pflag.Flag) string {
	switch flag.Value.Type() {
	case "bool":
		return "true or false"
	case "int":
		return "a whole number, such as " + flag.DefValue
	case durationType:
		return "a time such as 90s, 30m, 36h, 7d or 1d12h"
	case levelType:
		return "debug, info, warn or error"
	}
	return "text"
}
