package command

import (
	"log/slog"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/spf13/pflag"
)

// Types of flags, as --help shows them.
const (
	durationType = "duration"
	levelType    = "level"
)

// duration is a flag in the format of the ttl annotation.
type duration time.Duration

// DurationVar adds a flag in the format of the ttl annotation: 90s, 30m, 36h, 7d or
// 1d12h.
func DurationVar(flags *pflag.FlagSet, p *time.Duration, name string, value time.Duration, usage string) {
	*p = value
	flags.Var((*duration)(p), name, usage)
}

// String implements [pflag.Value].
func (d *duration) String() string { return Short(time.Duration(*d)) }

// Set implements [pflag.Value].
func (d *duration) Set(s string) error {
	parsed, err := model.ParseDuration(s)
	if err == nil {
		*d = duration(parsed)
	}
	return err
}

// Short formats a duration as a flag takes it.
func Short(d time.Duration) string { return model.Duration(d).String() }

// Type implements [pflag.Value].
func (d *duration) Type() string { return durationType }

// level is a flag for a log level.
type level slog.Level

// String implements [pflag.Value].
func (l *level) String() string { return strings.ToLower(slog.Level(*l).String()) }

// Set implements [pflag.Value].
func (l *level) Set(s string) error { return (*slog.Level)(l).UnmarshalText([]byte(s)) }

// Type implements [pflag.Value].
func (l *level) Type() string { return levelType }
