package admission

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// createPolicy creates the third party as a policy.
func createPolicy(ctx context.Context, o thirdParty) error {
	if o.refuses {
		return createValidatingPolicy(ctx, o)
	}
	return createMutatingPolicy(ctx, o)
}

func createValidatingPolicy(ctx context.Context, o thirdParty) error {
	api := admin.AdmissionregistrationV1()
	_, err := api.ValidatingAdmissionPolicies().Create(ctx, &admissionregistrationv1.ValidatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: o.name},
		Spec: admissionregistrationv1.ValidatingAdmissionPolicySpec{
			MatchConstraints: podUpdates(),
			Validations:      []admissionregistrationv1.Validation{{Expression: "!(" + o.when + ")", Message: o.name + " refuses this"}},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	_, err = api.ValidatingAdmissionPolicyBindings().Create(ctx, &admissionregistrationv1.ValidatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: o.name},
		Spec: admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName: o.name, MatchResources: &admissionregistrationv1.MatchResources{NamespaceSelector: o.namespaces()},
			ValidationActions: []admissionregistrationv1.ValidationAction{admissionregistrationv1.Deny},
		},
	}, metav1.CreateOptions{})
	return err
}

func createMutatingPolicy(ctx context.Context, o thirdParty) error {
	return createMutations(ctx, o, podUpdates(), o.mutations())
}

func createMutations(ctx context.Context, o thirdParty, match *admissionregistrationv1.MatchResources, mutations []admissionregistrationv1.Mutation) error {
	api := admin.AdmissionregistrationV1()
	_, err := api.MutatingAdmissionPolicies().Create(ctx, &admissionregistrationv1.MutatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: o.name},
		Spec: admissionregistrationv1.MutatingAdmissionPolicySpec{
			MatchConstraints:   match,
			MatchConditions:    o.conditions(),
			Mutations:          mutations,
			ReinvocationPolicy: admissionregistrationv1.IfNeededReinvocationPolicy,
		},
	}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	_, err = api.MutatingAdmissionPolicyBindings().Create(ctx, &admissionregistrationv1.MutatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: o.name},
		Spec: admissionregistrationv1.MutatingAdmissionPolicyBindingSpec{
			PolicyName: o.name, MatchResources: &admissionregistrationv1.MatchResources{NamespaceSelector: o.namespaces()},
		},
	}, metav1.CreateOptions{})
	return err
}

func podUpdates() *admissionregistrationv1.MatchResources {
	return &admissionregistrationv1.MatchResources{ResourceRules: []admissionregistrationv1.NamedRuleWithOperations{{
		RuleWithOperations: podRules(admissionregistrationv1.Update),
	}}}
}

func podRules(operation admissionregistrationv1.OperationType) admissionregistrationv1.RuleWithOperations {
	return admissionregistrationv1.RuleWithOperations{
		Operations: []admissionregistrationv1.OperationType{operation},
		Rule:       admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"}},
	}
}

func (o thirdParty) namespaces() *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchLabels: map[string]string{o.label(): "on"}}
}

func (o thirdParty) conditions() []admissionregistrationv1.MatchCondition {
	if o.when == "" {
		return nil
	}
	return []admissionregistrationv1.MatchCondition{{Name: "when", Expression: o.when}}
}

// mutations returns the change in CEL. It sets values by an apply configuration, and removes
// them by JSON patches.
func (c change) mutations() []admissionregistrationv1.Mutation {
	var mutations []admissionregistrationv1.Mutation
	var fields []string
	if len(c.labels) > 0 {
		fields = append(fields, "labels: "+celMap(c.labels))
	}
	switch {
	case c.counts:
		fields = append(fields, fmt.Sprintf("annotations: {%q: object.metadata.?annotations[?%[1]q].orValue('') + 'i'}", countKey))
	case len(c.annotations) > 0:
		fields = append(fields, "annotations: "+celMap(c.annotations))
	}
	if c.finalizer {
		fields = append(fields, fmt.Sprintf("finalizers: [%q]", otherFinalizer))
	}
	if len(fields) > 0 {
		mutations = append(mutations, admissionregistrationv1.Mutation{
			PatchType: admissionregistrationv1.PatchTypeApplyConfiguration,
			ApplyConfiguration: &admissionregistrationv1.ApplyConfiguration{
				Expression: "Object{metadata: Object.metadata{" + strings.Join(fields, ", ") + "}}",
			},
		})
	}
	if c.owner {
		mutations = append(mutations, celAddOwner(operatorRef(c.controls)))
	}
	for _, key := range c.noLabels {
		mutations = append(mutations, celRemove("labels", key))
	}
	for _, key := range c.noAnnotations {
		mutations = append(mutations, celRemove("annotations", key))
	}
	if c.dropFinalizers {
		mutations = append(mutations, celPatch("has(object.metadata.finalizers)", `JSONPatch{op: "remove", path: "/metadata/finalizers"}`))
	}
	return mutations
}

func celMap(pairs map[string]string) string {
	var fields []string
	for _, key := range slices.Sorted(maps.Keys(pairs)) {
		fields = append(fields, fmt.Sprintf("%q: %q", key, pairs[key]))
	}
	return "{" + strings.Join(fields, ", ") + "}"
}

// celAddOwner adds the reference unless the pod has it. An apply configuration can't set
// it, because each reference is atomic.
func celAddOwner(ref metav1.OwnerReference) admissionregistrationv1.Mutation {
	value := fmt.Sprintf("Object.metadata.ownerReferences{apiVersion: %q, kind: %q, name: %q, uid: %q, controller: %t}",
		ref.APIVersion, ref.Kind, ref.Name, ref.UID, *ref.Controller)
	return celPatch(
		fmt.Sprintf("!object.metadata.?ownerReferences.orValue([]).exists(owner, owner.uid == %q)", ref.UID),
		fmt.Sprintf(`has(object.metadata.ownerReferences) ?
			JSONPatch{op: "add", path: "/metadata/ownerReferences/-", value: %[1]s} :
			JSONPatch{op: "add", path: "/metadata/ownerReferences", value: [%[1]s]}`, value))
}

func celRemove(field, key string) admissionregistrationv1.Mutation {
	return celPatch(
		fmt.Sprintf("%q in object.metadata.?%s.orValue({})", key, field),
		fmt.Sprintf(`JSONPatch{op: "remove", path: "/metadata/%s/" + jsonpatch.escapeKey(%q)}`, field, key))
}

func celPatch(condition, operation string) admissionregistrationv1.Mutation {
	return admissionregistrationv1.Mutation{
		PatchType: admissionregistrationv1.PatchTypeJSONPatch,
		JSONPatch: &admissionregistrationv1.JSONPatch{Expression: condition + " ? [" + operation + "] : []"},
	}
}
