package gen

import (
	"maps"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"isolate.example.io/quarantine"
)

// Option changes the metadata of an object.
type Option func(object metav1.Object)

// All combines options into one.
func All(options ...Option) Option {
	return func(object metav1.Object) {
		for _, option := range options {
			option(object)
		}
	}
}

// Namespace sets the namespace.
func Namespace(name string) Option {
	return func(object metav1.Object) { object.SetNamespace(name) }
}

// Label sets a label.
func Label(key, value string) Option { return Labels(map[string]string{key: value}) }

// Labels sets these labels and keeps the others.
func Labels(labels map[string]string) Option {
	return func(object metav1.Object) { object.SetLabels(with(object.GetLabels(), labels)) }
}

// Annotation sets an annotation.
func Annotation(key, value string) Option {
	return func(object metav1.Object) {
		object.SetAnnotations(with(object.GetAnnotations(), map[string]string{key: value}))
	}
}

// Without removes the label and the annotation with this key.
func Without(key string) Option {
	return func(object metav1.Object) {
		object.SetLabels(without(object.GetLabels(), key))
		object.SetAnnotations(without(object.GetAnnotations(), key))
	}
}

// Finalizer adds a finalizer.
func Finalizer(name string) Option {
	return func(object metav1.Object) { object.SetFinalizers(append(object.GetFinalizers(), name)) }
}

// Controller adds an ownerReference to a controller.
func Controller(apiVersion, kind, name string, uid types.UID) Option {
	return func(object metav1.Object) {
		object.SetOwnerReferences(append(object.GetOwnerReferences(), metav1.OwnerReference{
			APIVersion: apiVersion, Kind: kind, Name: name, UID: uid, Controller: new(true),
		}))
	}
}

// Held holds a quarantined pod.
func Held() Option { return Annotation(quarantine.HoldKey, quarantine.True) }

// Expires sets the expiry of a quarantined pod.
func Expires(at time.Time) Option { return Annotation(quarantine.ExpiresAtKey, Stamp(at)) }

// Quarantined adds what isolate writes on a quarantined pod: the label and a
// complete record, but no rewritten labels.
func Quarantined(at, expires time.Time) Option {
	return All(
		Label(quarantine.QuarantinedLabel, quarantine.QuarantinedValue),
		Annotation(quarantine.TriggerKey, quarantine.True),
		Annotation(quarantine.QuarantinedAtKey, Stamp(at)),
		Annotation(quarantine.QuarantinedByKey, "jane"),
		Annotation(quarantine.RecordKey, "{}"),
		Expires(expires),
	)
}

// Stamp formats a time like isolate's annotations.
func Stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// with returns a new map, because the options of several objects may share one.
func with(values, more map[string]string) map[string]string {
	all := map[string]string{}
	maps.Copy(all, values)
	maps.Copy(all, more)
	return all
}

func without(values map[string]string, key string) map[string]string {
	rest := maps.Clone(values)
	delete(rest, key)
	return rest
}
