package policies

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"isolate.example.io/quarantine"
)

// If an expression misses a key, nothing checks writes of that key.
func TestExpressionsCoverEveryKey(t *testing.T) {
	declared := declaredKeys(t)
	expressions := map[string]string{}
	for _, webhook := range webhookConfiguration(t).Webhooks {
		expressions[webhook.Name] = webhook.MatchConditions[0].Expression
	}
	for _, name := range []string{"isolate-pods-status", "isolate-bindings"} {
		expressions["policy "+name] = policy(t, name).Spec.Validations[0].Expression
	}
	for name, expression := range expressions {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(declared, keysIn(expression)); diff != "" {
				t.Errorf("keys of quarantine/keys.go (-) and of the expression (+):\n%s", diff)
			}
		})
	}
}

// A policy whose match conditions miss a key denies nothing.
func TestPolicyMatchesEveryKeyItValidates(t *testing.T) {
	spec := policy(t, "isolate-pods").Spec
	var looksAt []string
	for _, variable := range spec.Variables {
		looksAt = append(looksAt, keysIn(variable.Expression)...)
	}
	for _, validation := range spec.Validations {
		looksAt = append(looksAt, keysIn(validation.Expression)...)
	}
	// Without the trigger, which is looked at, a hold is none.
	looksAt = slices.DeleteFunc(looksAt, func(key string) bool { return key == quarantine.HoldKey })
	slices.Sort(looksAt)
	if diff := cmp.Diff(slices.Compact(looksAt), keysIn(spec.MatchConditions[0].Expression)); diff != "" {
		t.Errorf("keys of the validations (-) and of the condition (+):\n%s", diff)
	}
}

// keysIn returns the keys in an expression, sorted.
func keysIn(expression string) []string {
	named := regexp.MustCompile(`'isolate\.example\.io/[^']*'`).FindAllString(expression, -1)
	for i := range named {
		named[i] = strings.Trim(named[i], "'")
	}
	slices.Sort(named)
	return slices.Compact(named)
}

// The webhook skips exactly the writes that the policy denies. A write that is neither
// could change the record unchecked.
func TestWebhookSkipsWhatThePolicyDenies(t *testing.T) {
	conditions := webhookConfiguration(t).Webhooks[0].MatchConditions
	condition := conditions[slices.IndexFunc(conditions, func(c admissionregistrationv1.MatchCondition) bool {
		return c.Name == "may-schedule-deletion"
	})]
	if diff := cmp.Diff(policy(t, "isolate-pods").Spec.Validations[0].Expression, condition.Expression); diff != "" {
		t.Errorf("the policy's expression (-) and the matchCondition (+):\n%s", diff)
	}
}

// declaredKeys reads the keys from the source, so that a new key is never missed. The
// note that a release leaves is not among them: anyone may change it, and isolate does
// not act on it.
func declaredKeys(t *testing.T) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, "quarantine", "keys.go"), nil, 0)
	must(t, err)
	var keys []string
	ast.Inspect(file, func(node ast.Node) bool {
		sum, ok := node.(*ast.BinaryExpr)
		if !ok {
			return true
		}
		domain, isName := sum.X.(*ast.Ident)
		key, isText := sum.Y.(*ast.BasicLit)
		if isName && isText && domain.Name == "Domain" {
			name, err := strconv.Unquote(key.Value)
			must(t, err)
			if key := quarantine.Domain + name; !quarantine.IsNamespaceKey(key) && key != quarantine.UnrestoredKey && key != quarantine.AlertsKey {
				keys = append(keys, key)
			}
		}
		return true
	})
	slices.Sort(keys)
	return keys
}

func webhookConfiguration(t *testing.T) *admissionregistrationv1.MutatingWebhookConfiguration {
	t.Helper()
	return asWebhookConfiguration(t, object(t, "MutatingWebhookConfiguration", "isolate"))
}

func policy(t *testing.T, name string) *admissionregistrationv1.ValidatingAdmissionPolicy {
	t.Helper()
	typed := &admissionregistrationv1.ValidatingAdmissionPolicy{}
	must(t, runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(object(t, "ValidatingAdmissionPolicy", name).Object, typed, true))
	return typed
}

func object(t *testing.T, kind, name string) *unstructured.Unstructured {
	t.Helper()
	for _, candidate := range base(t) {
		if candidate.GetKind() == kind && candidate.GetName() == name {
			return candidate
		}
	}
	t.Fatalf("no %s %s in manifests/base", kind, name)
	return nil
}
