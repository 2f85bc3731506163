package admission

import (
	"context"
	"errors"
	"fmt"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"

	"isolate.example.io/test/framework/waiting"
)

// keeper owns every pod of the tests in addition to its ReplicaSet, and operator is the
// owner that third parties add. Both are cluster-scoped, so all tests know their UIDs.
var keeper, operator metav1.OwnerReference

// installThirdParties creates all third parties, and waits until the API server calls them.
func installThirdParties(ctx context.Context) (err error) {
	if keeper, err = createOwner(ctx, "keeper"); err != nil {
		return err
	}
	if operator, err = createOwner(ctx, "operator"); err != nil {
		return err
	}
	atCreation := &admissionregistrationv1.MatchResources{ResourceRules: []admissionregistrationv1.NamedRuleWithOperations{{
		RuleWithOperations: podRules(admissionregistrationv1.Create),
	}}}
	born := []admissionregistrationv1.Mutation{celAddOwner(keeper)}
	if err := createMutations(ctx, thirdParty{name: "keeper"}, atCreation, born); err != nil {
		return err
	}
	all := append(thirdParties(), probes...)
	for _, o := range all {
		if o.position != policy {
			continue
		}
		if err := createPolicy(ctx, o); err != nil {
			return fmt.Errorf("creating %s: %w", o.name, err)
		}
	}
	hooks = serveWebhooks(all)
	if err := hooks.create(ctx, all); err != nil {
		return err
	}
	return waitForProbes(ctx)
}

// createOwner creates a cluster-scoped owner, so that all tests know its UID.
func createOwner(ctx context.Context, name string) (metav1.OwnerReference, error) {
	role, err := admin.RbacV1().ClusterRoles().Create(ctx, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	if err != nil {
		return metav1.OwnerReference{}, err
	}
	return metav1.OwnerReference{APIVersion: "rbac.authorization.k8s.io/v1", Kind: "ClusterRole", Name: name, UID: role.UID, Controller: new(false)}, nil
}

// operatorRef is the ownerReference that third parties add.
func operatorRef(controls bool) metav1.OwnerReference {
	ref := operator
	ref.Controller = &controls
	return ref
}

// waitForProbes waits until dry runs show the effects of the probes, which were created
// last.
func waitForProbes(ctx context.Context) error {
	labels := map[string]string{}
	for _, o := range probes {
		labels[o.label()] = "on"
	}
	namespace, err := createNamespace(ctx, "probe-", labels)
	if err != nil {
		return err
	}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "probe"}, Spec: spec()}
	update := func(ctx context.Context, value string) (*corev1.Pod, error) {
		return admin.CoreV1().Pods(namespace).Patch(ctx, pod.Name, types.MergePatchType,
			fmt.Appendf(nil, `{"metadata": {"annotations": {%q: %q}}}`, probeKey, value), metav1.PatchOptions{DryRun: []string{metav1.DryRunAll}})
	}
	var last error
	err = wait.PollUntilContextTimeout(ctx, waiting.Interval, waiting.Patience, true, func(ctx context.Context) (bool, error) {
		_, created := admin.CoreV1().Pods(namespace).Create(ctx, pod, metav1.CreateOptions{})
		changed, err := update(ctx, "")
		if err != nil {
			last = errors.Join(created, err)
			return false, nil
		}
		_, byPolicy := update(ctx, "policy")
		_, byWebhook := update(ctx, "webhook")
		last = errors.Join(fmt.Errorf("annotations %v", changed.Annotations), byPolicy, byWebhook)
		return changed.Annotations[domain+"policy"] != "" && changed.Annotations[domain+"after"] != "" && byPolicy != nil && byWebhook != nil, nil
	})
	if err != nil {
		return fmt.Errorf("waiting for the third parties to count: %w, %w", err, last)
	}
	return nil
}
