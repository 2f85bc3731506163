package quarantine

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Config configures the rules. The zero value is not useful: start from
// [DefaultConfig].
type Config struct {
	// Prefix and a dash precede the old value of a rewritten label.
	Prefix string

	// ExtraKeys are labels that every quarantine rewrites, whatever selects the pod.
	ExtraKeys []string

	// ReplacingKinds are further kinds of controllers that replace a pod whose labels
	// have changed. isolate does not know their selectors, so it rewrites every label.
	ReplacingKinds []schema.GroupKind

	// DefaultTTL is how long a pod without a ttl is kept. MaxTTL is the longest ttl
	// or extend.
	DefaultTTL, MaxTTL time.Duration

	// ControllerBudget and NamespaceBudget limit how many pods of one controller and
	// of one namespace are quarantined at a time; 0 is no limit.
	ControllerBudget, NamespaceBudget int

	// invalidKeys are the namespace's settings that were ignored as invalid.
	invalidKeys []string
}

// Bounds of a [Config].
const (
	// MinTTL is the shortest ttl and extend.
	MinTTL = time.Second

	// maxDuration bounds the max-ttl of a namespace, so that expires-at stays within
	// the years of RFC 3339.
	maxDuration = 100 * 365 * 24 * time.Hour

	// maxPrefixLength leaves room for a hash and some of the old value in the 63
	// characters of a label value.
	maxPrefixLength = 32
)

// DefaultConfig returns the configuration that applies without any flag.
func DefaultConfig() Config {
	return Config{
		Prefix:     "quarantined",
		DefaultTTL: 24 * time.Hour, MaxTTL: 30 * 24 * time.Hour,
		ControllerBudget: 5, NamespaceBudget: 50,
	}
}

// Validate returns every problem of the configuration, with the name of the setting.
func (c *Config) Validate() field.ErrorList {
	var errs field.ErrorList
	if c.Prefix == "" || len(c.Prefix) > maxPrefixLength || len(validation.IsValidLabelValue(c.Prefix)) > 0 {
		errs = append(errs, field.Invalid(field.NewPath("prefix"), c.Prefix, problemPrefix))
	}
	for _, key := range c.ExtraKeys {
		if len(validation.IsQualifiedName(key)) > 0 {
			errs = append(errs, field.Invalid(field.NewPath("extraKeys"), key, problemKey))
		}
	}
	if c.DefaultTTL < MinTTL || c.DefaultTTL > c.MaxTTL {
		errs = append(errs, field.Invalid(field.NewPath("defaultTTL"), shortDuration(c.DefaultTTL),
			fmt.Sprintf("must be at least %s and at most the maximum, %s", shortDuration(MinTTL), shortDuration(c.MaxTTL))))
	}
	if c.ControllerBudget < 0 {
		errs = append(errs, field.Invalid(field.NewPath("controllerBudget"), c.ControllerBudget, problemBudget))
	}
	if c.NamespaceBudget < 0 {
		errs = append(errs, field.Invalid(field.NewPath("namespaceBudget"), c.NamespaceBudget, problemBudget))
	}
	return errs
}

// rewrittenValue returns the value that replaces value in a rewritten label. It is
// always a valid label value, and different old values give different new ones.
func (c *Config) rewrittenValue(value string) string {
	if value == "" {
		return c.Prefix
	}
	whole := c.Prefix + "-" + value
	if len(whole) <= validation.LabelValueMaxLength {
		return whole
	}
	sum := sha256.Sum256([]byte(value))
	suffix := "-" + hex.EncodeToString(sum[:4])
	return whole[:validation.LabelValueMaxLength-len(suffix)] + suffix
}
