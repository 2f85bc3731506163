package command

import (
	"fmt"
	"time"

	"github.com/prometheus/common/model"
)

// Duration is a flag in the format of the ttl annotation.
type Duration time.Duration

// String implements [pflag.Value].
func (d *Duration) String() string { return model.Duration(*d).String() }

// Set implements [pflag.Value].
func (d *Duration) Set(s string) error {
	parsed, err := model.ParseDuration(s)
	if err != nil {
		return fmt.Errorf("write it as 90s, 30m, 36h, 7d or 1d12h: %w", err)
	}
	*d = Duration(parsed)
	return nil
}

// Type implements [pflag.Value].
func (d *Duration) Type() string { return "duration" }
