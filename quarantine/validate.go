package quarantine

import (
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/prometheus/common/model"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// requestAnnotations are the annotations that people, tools and the sweeper write.
var requestAnnotations = []string{TriggerKey, TTLKey, ExtendKey, HoldKey, ReasonKey, ForceKey, RecheckKey}

// invalidRequests returns the errors of the request annotations that this write sets or
// changes. An invalid value from before isolate was installed blocks no write.
func (c *Config) invalidRequests(req Request) field.ErrorList {
	var errs field.ErrorList
	for _, key := range requestAnnotations {
		value, ok := req.New.Annotations[key]
		if !ok || !keyChanged(req.Old.Annotations, req.New.Annotations, key) {
			continue
		}
		if problem := c.problem(key, value); problem != "" {
			errs = append(errs, field.Invalid(annotationPath(key), truncate(value, maxQuotedValue), problem))
		}
	}
	return errs
}

// problem returns which values the annotation takes, or "" if this is one of them.
func (c *Config) problem(key, value string) string {
	switch key {
	case TriggerKey, HoldKey:
		if value != True && value != False {
			return problemSwitch
		}
	case ForceKey:
		if value != True {
			return problemForce
		}
	case TTLKey, ExtendKey:
		if _, err := c.duration(value); err != nil {
			return err.Error()
		}
	case ReasonKey:
		if n := utf8.RuneCountInString(value); n > MaxReasonLength {
			return fmt.Sprintf("must have at most %d characters, has %d", MaxReasonLength, n)
		}
	}
	return ""
}

// duration parses a ttl or an extend. The error says which values are allowed.
func (c *Config) duration(value string) (time.Duration, error) {
	var d time.Duration
	err := setDuration(&d, value, c.MaxTTL)
	return d, err
}

func shortDuration(d time.Duration) string { return model.Duration(d).String() }
