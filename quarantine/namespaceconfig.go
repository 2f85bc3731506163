package quarantine

import (
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/common/model"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// IsNamespaceKey reports whether this annotation of a Namespace is one of isolate's.
func IsNamespaceKey(key string) bool {
	return slices.Contains([]string{DefaultTTLKey, MaxTTLKey, ControllerBudgetKey, NamespaceBudgetKey}, key)
}

// ForNamespace returns the configuration for a namespace with these annotations, and
// an error for each annotation that it ignores as invalid. A namespace may set larger
// values than the flags, and smaller ones.
func (c *Config) ForNamespace(annotations map[string]string) (Config, field.ErrorList) {
	local := *c
	local.invalidKeys = nil
	var errs field.ErrorList
	read := func(key string, set func(value string) error) {
		value, ok := annotations[key]
		if !ok {
			return
		}
		if err := set(value); err != nil {
			local.invalidKeys = append(local.invalidKeys, key)
			errs = append(errs, field.Invalid(annotationPath(key), truncate(value, maxQuotedValue), err.Error()))
		}
	}
	read(MaxTTLKey, func(value string) error { return setDuration(&local.MaxTTL, value, maxDuration) })
	local.DefaultTTL = min(local.DefaultTTL, local.MaxTTL)
	read(DefaultTTLKey, func(value string) error { return setDuration(&local.DefaultTTL, value, local.MaxTTL) })
	read(ControllerBudgetKey, func(value string) error { return setBudget(&local.ControllerBudget, value) })
	read(NamespaceBudgetKey, func(value string) error { return setBudget(&local.NamespaceBudget, value) })
	return local, errs
}

func setDuration(into *time.Duration, value string, most time.Duration) error {
	parsed, err := model.ParseDuration(value)
	if err != nil {
		return errDuration
	}
	d := time.Duration(parsed)
	if d < MinTTL || d > most {
		return errDurationRange(most)
	}
	*into = d
	return nil
}

func setBudget(into *int, value string) error {
	n, err := strconv.ParseUint(value, 10, 31)
	if err != nil {
		return errors.New(problemBudget)
	}
	*into = int(n)
	return nil
}
