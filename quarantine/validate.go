package quarantine

import (
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/prometheus/common/model"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// requestAnnotations are what people, tools and the sweeper write.
var requestAnnotations = []string{TriggerKey, TTLKey, ExtendKey, HoldKey, ReasonKey, ForceKey, RecheckKey}

// invalidRequests returns what is wrong with the request keys that this very
// request sets or changes. A bad value that was there before hinders nobody.
func (r *Config) invalidRequests(req Request, status Status) field.ErrorList {
	var errs field.ErrorList
	for _, key := range requestAnnotations {
		value, ok := req.New.Annotations[key]
		if !ok || !changedKey(req.Old.Annotations, req.New.Annotations, key) {
			continue
		}
		if problem := r.problem(key, value); problem != "" {
			errs = append(errs, field.Invalid(annotationPath(key), clip(value), problem))
		} else if key == TTLKey && status.State == Quarantined && req.New.Annotations[TriggerKey] == True {
			errs = append(errs, field.Invalid(annotationPath(key), clip(value), problemTTLKept))
		}
	}
	return errs
}

// problem says what is wrong with a request's value, and what to write instead.
func (r *Config) problem(key, value string) string {
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
		if _, err := r.duration(value); err != nil {
			return err.Error()
		}
	case ReasonKey:
		if n := utf8.RuneCountInString(value); n > MaxReasonLength {
			return fmt.Sprintf("must have at most %d characters, has %d", MaxReasonLength, n)
		}
	}
	return ""
}

// duration reads a ttl or an extend. The error says what to write instead.
func (r *Config) duration(value string) (time.Duration, error) {
	var d time.Duration
	err := setDuration(&d, value, r.MaxTTL)
	return d, err
}

// clip keeps a stranger's value from filling the answer.
func clip(value string) string {
	const most = 64
	if runes := []rune(value); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return value
}

func shortDuration(d time.Duration) string { return model.Duration(d).String() }
