package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"isolate.example.io/certs"
	"isolate.example.io/quarantine"
	"isolate.example.io/test/bench/alternatives"
	"isolate.example.io/test/gen/workload"
)

// The variants of what answers a quarantine. One at a time is installed.
const (
	none         = "none"
	isolate      = "isolate"
	floor        = alternatives.Floor
	checkedFloor = "checked-floor" // The floor, which is also called to check the result, as isolate is.
	defaulter    = alternatives.Defaulter
	policy       = "policy"
)

// probe is the pod on which a dry run shows which variant answers. The floor's patch
// only fits pods of one workload.
const probe = "probe"

// variants switches between the variants.
type variants struct {
	bench   *bench
	cluster *cluster

	current  string
	webhooks map[string]*admissionv1.MutatingWebhookConfiguration
	checks   map[string]*admissionv1.ValidatingWebhookConfiguration
	bindings []admissionv1.ValidatingAdmissionPolicyBinding
}

// newVariants records the installed isolate and starts the alternatives.
func (b *bench) newVariants(c *cluster, others ...string) (*variants, error) {
	v := &variants{bench: b, cluster: c, current: isolate,
		webhooks: map[string]*admissionv1.MutatingWebhookConfiguration{}, checks: map[string]*admissionv1.ValidatingWebhookConfiguration{}}
	api := c.client.AdmissionregistrationV1()
	own, err := api.MutatingWebhookConfigurations().Get(b.ctx, "isolate", metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	check, err := api.ValidatingWebhookConfigurations().Get(b.ctx, own.Name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	bindings, err := api.ValidatingAdmissionPolicyBindings().List(b.ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	own.ObjectMeta = metav1.ObjectMeta{Name: own.Name}
	check.ObjectMeta = metav1.ObjectMeta{Name: check.Name}
	v.webhooks[isolate], v.checks[isolate], v.bindings = own, check, bindings.Items
	for i := range v.bindings {
		v.bindings[i].ObjectMeta = metav1.ObjectMeta{Name: v.bindings[i].Name}
	}
	for _, name := range others {
		if name != floor && name != defaulter {
			continue
		}
		p, err := b.startAlternative(c, name)
		if err != nil {
			return nil, err
		}
		if v.webhooks[name], err = configuration(name, p); err != nil {
			return nil, err
		}
		if name == floor {
			v.webhooks[checkedFloor], v.checks[checkedFloor] = v.webhooks[floor], checkOf(v.webhooks[floor], p)
		}
	}
	w := crew{bench: b, cluster: c, apps: 1}
	_, err = w.create(1, func(_ int, pod *corev1.Pod) { pod.Name = probe })
	return v, err
}

// configuration returns a webhook configuration for an alternative, with the same
// settings as isolate's.
func configuration(name string, p *process) (*admissionv1.MutatingWebhookConfiguration, error) {
	ca, err := os.ReadFile(filepath.Join(p.certDir, certs.CAFile))
	if err != nil {
		return nil, err
	}
	return &admissionv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Webhooks: []admissionv1.MutatingWebhook{{
			Name:                    name + ".bench.example.com",
			AdmissionReviewVersions: []string{"v1"},
			SideEffects:             ptr.To(admissionv1.SideEffectClassNone),
			ReinvocationPolicy:      ptr.To(admissionv1.IfNeededReinvocationPolicy),
			ClientConfig: admissionv1.WebhookClientConfig{
				URL: new(p.url(alternatives.Path)), CABundle: ca,
			},
			Rules:           []admissionv1.RuleWithOperations{podUpdates()},
			MatchConditions: []admissionv1.MatchCondition{triggered()},
		}},
	}, nil
}

// checkOf returns the configuration by which the same process is called to check the result.
func checkOf(mutating *admissionv1.MutatingWebhookConfiguration, p *process) *admissionv1.ValidatingWebhookConfiguration {
	webhook := mutating.Webhooks[0]
	return &admissionv1.ValidatingWebhookConfiguration{
		ObjectMeta: mutating.ObjectMeta,
		Webhooks: []admissionv1.ValidatingWebhook{{
			Name: webhook.Name, AdmissionReviewVersions: webhook.AdmissionReviewVersions, SideEffects: webhook.SideEffects,
			ClientConfig: admissionv1.WebhookClientConfig{URL: new(p.url(alternatives.CheckPath)), CABundle: webhook.ClientConfig.CABundle},
			Rules:        webhook.Rules, MatchConditions: webhook.MatchConditions,
		}},
	}
}

func podUpdates() admissionv1.RuleWithOperations {
	return admissionv1.RuleWithOperations{
		Operations: []admissionv1.OperationType{admissionv1.Update},
		Rule:       admissionv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"}},
	}
}

func triggered() admissionv1.MatchCondition {
	return admissionv1.MatchCondition{Name: "triggered", Expression: fmt.Sprintf(
		"object.metadata.?annotations[?'%[1]s'].orValue('') == 'true' && oldObject.metadata.?annotations[?'%[1]s'].orValue('') != 'true'",
		quarantine.TriggerKey)}
}

// use replaces the installed variant and returns once the new one is effective.
func (v *variants) use(name string) error {
	if name == v.current {
		return nil
	}
	ctx := v.bench.ctx
	if err := v.remove(ctx, v.current); err != nil {
		return err
	}
	if err := v.bench.until(v.current+" is gone", func(ctx context.Context) bool {
		marked, err := v.marked(ctx)
		return err == nil && !marked && v.bornQuarantined(ctx) == nil
	}); err != nil {
		return err
	}
	v.current = name
	if name == none {
		return nil
	}
	if err := v.install(ctx, name); err != nil {
		return err
	}
	return v.bench.until(name+" answers", func(ctx context.Context) bool {
		marked, err := v.marked(ctx)
		return err == nil && marked && (name != isolate || v.bornQuarantined(ctx) != nil)
	})
}

func (v *variants) install(ctx context.Context, name string) error {
	api := v.cluster.client.AdmissionregistrationV1()
	if name == policy {
		return v.installPolicy(ctx)
	}
	if check := v.checks[name]; check != nil {
		if _, err := api.ValidatingWebhookConfigurations().Create(ctx, check, metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	if name == isolate {
		for i := range v.bindings {
			if _, err := api.ValidatingAdmissionPolicyBindings().Create(ctx, &v.bindings[i], metav1.CreateOptions{}); err != nil {
				return err
			}
		}
	}
	_, err := api.MutatingWebhookConfigurations().Create(ctx, v.webhooks[name], metav1.CreateOptions{})
	return err
}

func (v *variants) remove(ctx context.Context, name string) error {
	api := v.cluster.client.AdmissionregistrationV1()
	switch name {
	case none:
		return nil
	case policy:
		if err := api.MutatingAdmissionPolicyBindings().Delete(ctx, policy, metav1.DeleteOptions{}); err != nil {
			return err
		}
		return api.MutatingAdmissionPolicies().Delete(ctx, policy, metav1.DeleteOptions{})
	case isolate:
		for i := range v.bindings {
			if err := api.ValidatingAdmissionPolicyBindings().Delete(ctx, v.bindings[i].Name, metav1.DeleteOptions{}); err != nil {
				return err
			}
		}
	}
	if check := v.checks[name]; check != nil {
		if err := api.ValidatingWebhookConfigurations().Delete(ctx, check.Name, metav1.DeleteOptions{}); err != nil {
			return err
		}
	}
	return api.MutatingWebhookConfigurations().Delete(ctx, v.webhooks[name].Name, metav1.DeleteOptions{})
}

// installPolicy installs a MutatingAdmissionPolicy that writes fixed labels. A policy
// can't know what selects a pod.
func (v *variants) installPolicy(ctx context.Context) error {
	api := v.cluster.client.AdmissionregistrationV1()
	rules := &admissionv1.MatchResources{ResourceRules: []admissionv1.NamedRuleWithOperations{{RuleWithOperations: podUpdates()}}}
	_, err := api.MutatingAdmissionPolicies().Create(ctx, &admissionv1.MutatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: policy},
		Spec: admissionv1.MutatingAdmissionPolicySpec{
			MatchConstraints:   rules,
			MatchConditions:    []admissionv1.MatchCondition{triggered()},
			ReinvocationPolicy: admissionv1.IfNeededReinvocationPolicy,
			FailurePolicy:      ptr.To(admissionv1.Fail),
			Mutations: []admissionv1.Mutation{{
				PatchType: admissionv1.PatchTypeApplyConfiguration,
				ApplyConfiguration: &admissionv1.ApplyConfiguration{Expression: `Object{metadata: Object.metadata{labels: {` +
					`"` + quarantine.QuarantinedLabel + `": "true", "app.kubernetes.io/name": "quarantined", ` +
					`"app.kubernetes.io/component": "quarantined", "pod-template-hash": "quarantined"}}}`},
			}},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	_, err = api.MutatingAdmissionPolicyBindings().Create(ctx, &admissionv1.MutatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: policy},
		Spec:       admissionv1.MutatingAdmissionPolicyBindingSpec{PolicyName: policy},
	}, metav1.CreateOptions{})
	return err
}

// marked reports whether a dry run of a quarantine changes the pod.
func (v *variants) marked(ctx context.Context) (bool, error) {
	patch := fmt.Sprintf(`{"metadata":{"annotations":{%q:"true"}}}`, quarantine.TriggerKey)
	pod, err := v.cluster.client.CoreV1().Pods(namespace).Patch(ctx, probe, types.MergePatchType, []byte(patch),
		metav1.PatchOptions{DryRun: []string{metav1.DryRunAll}})
	if err != nil {
		return false, err
	}
	return pod.Labels[quarantine.QuarantinedLabel] != "", nil
}

// bornQuarantined dry-runs a write that isolate's policies deny.
func (v *variants) bornQuarantined(ctx context.Context) error {
	pod := workload.App{Namespace: namespace}.Pod("born")
	pod.OwnerReferences = nil
	pod.Labels[quarantine.QuarantinedLabel] = quarantine.QuarantinedValue
	_, err := v.cluster.client.CoreV1().Pods(namespace).Create(ctx, pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	return err
}
