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

// Config are the settings of the decision. The zero value is not useful: start
// from [DefaultConfig].
type Config struct {
	// Prefix goes before the old value of a rewritten label, with a dash between.
	Prefix string

	// ExtraKeys are further labels to rewrite at every quarantine.
	ExtraKeys []string

	// ReplacingKinds are further kinds of controllers that replace a pod which has
	// lost its labels. Their selectors aren't known, so every label is rewritten.
	ReplacingKinds []schema.GroupKind

	// DefaultTTL is how long a pod is kept unless its ttl says otherwise, MaxTTL
	// the longest a ttl or an extend may ask for.
	DefaultTTL, MaxTTL time.Duration

	// ControllerBudget is how many pods of one controller may be quarantined at a
	// time, and NamespaceBudget how many of one namespace; 0 is no limit.
	ControllerBudget, NamespaceBudget int

	// unread are the keys of the namespace's settings that count for nothing.
	unread []string
}

// Bounds of a [Config].
const (
	// MinTTL is the shortest ttl and extend.
	MinTTL = time.Second

	// maxDuration is the longest that a namespace may set as its maximum: the stamps
	// must stay within the years of RFC 3339.
	maxDuration = 100 * 365 * 24 * time.Hour

	// maxPrefixLength leaves room for a hash and some of the old value in the 63
	// characters of a label value.
	maxPrefixLength = 32
)

// DefaultConfig are the rules as they are without any flag.
func DefaultConfig() Config {
	return Config{
		Prefix:     "quarantined",
		DefaultTTL: 24 * time.Hour, MaxTTL: 30 * 24 * time.Hour,
		ControllerBudget: 5, NamespaceBudget: 50,
	}
}

// Validate returns all that is wrong with the rules, naming each setting.
func (r *Config) Validate() field.ErrorList {
	var errs field.ErrorList
	if r.Prefix == "" || len(r.Prefix) > maxPrefixLength || len(validation.IsValidLabelValue(r.Prefix)) > 0 {
		errs = append(errs, field.Invalid(field.NewPath("prefix"), r.Prefix, problemPrefix))
	}
	for _, key := range r.ExtraKeys {
		if len(validation.IsQualifiedName(key)) > 0 {
			errs = append(errs, field.Invalid(field.NewPath("extraKeys"), key, problemKey))
		}
	}
	if r.DefaultTTL < MinTTL || r.DefaultTTL > r.MaxTTL {
		errs = append(errs, field.Invalid(field.NewPath("defaultTTL"), shortDuration(r.DefaultTTL),
			fmt.Sprintf("must be at least %s and at most the maximum, %s", shortDuration(MinTTL), shortDuration(r.MaxTTL))))
	}
	if r.ControllerBudget < 0 {
		errs = append(errs, field.Invalid(field.NewPath("controllerBudget"), r.ControllerBudget, problemBudget))
	}
	if r.NamespaceBudget < 0 {
		errs = append(errs, field.Invalid(field.NewPath("namespaceBudget"), r.NamespaceBudget, problemBudget))
	}
	return errs
}

// rewritten is what a selector's key gets instead of its old value: always a
// valid label value, and one that tells old values apart.
func (r *Config) rewritten(value string) string {
	if value == "" {
		return r.Prefix
	}
	whole := r.Prefix + "-" + value
	if len(whole) <= validation.LabelValueMaxLength {
		return whole
	}
	sum := sha256.Sum256([]byte(value))
	suffix := "-" + hex.EncodeToString(sum[:4])
	return whole[:validation.LabelValueMaxLength-len(suffix)] + suffix
}
