package certificates

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"isolate.example.io/certs"
	"isolate.example.io/certs/authority"
	"isolate.example.io/test/framework/installation"
)

// quick makes a CA rotation take seconds. It loses no admission as long as Secrets
// reach the mounts immediately.
const quick = "--propagation-delay=1s"

func TestDamageIsRepairedAndReported(t *testing.T) {
	all := sharedCluster(t)
	i := all.installWith(all.options([]string{quick}))
	const (
		injected    = "Updated the caBundle of the webhook configurations isolate: it differed from the bundle in Secret isolate-ca."
		certRotated = "Issued a new certificate for the webhook, valid until %s, because %s."
		caRotated   = "Created a new CA for the webhook's certificate, valid until %s, because %s."
	)
	old := time.Now().Add(-2 * time.Hour)
	for name, test := range map[string]struct {
		damage func(c *cluster)
		secret string
		note   string
		why    authority.Cause
	}{
		"an unreadable certificate": {func(c *cluster) {
			c.store(authority.ServingSecret, map[string][]byte{certs.CertFile: []byte("x")})
		}, authority.ServingSecret, certRotated, "the stored one was unusable"},
		"a missing certificate": {func(c *cluster) {
			c.deleteSecret(authority.ServingSecret)
		}, authority.ServingSecret, certRotated, "there was none"},
		"an expired certificate": {func(c *cluster) {
			c.storeLeaf(c.storedCA(), old, webhookName)
		}, authority.ServingSecret, certRotated, "the old one was not valid at this time"},
		"a certificate for another name": {func(c *cluster) {
			c.storeLeaf(c.storedCA(), time.Now(), "web.shop.svc")
		}, authority.ServingSecret, certRotated, "the old one was for other host names"},
		"a certificate issued by another CA": {func(c *cluster) {
			c.storeLeaf(newCA(c, time.Now()), time.Now(), webhookName)
		}, authority.ServingSecret, certRotated, "another CA had issued the old one"},
		"an unreadable CA": {func(c *cluster) {
			c.store(authority.CASecret, map[string][]byte{certs.CertFile: []byte("x")})
		}, authority.CASecret, caRotated, "the stored one was unusable"},
		"a CA with the key of another": {func(c *cluster) {
			c.store(authority.CASecret, map[string][]byte{certs.KeyFile: newCA(c, time.Now()).KeyPEM})
		}, authority.CASecret, caRotated, "the stored one was unusable"},
		"a missing CA": {func(c *cluster) {
			c.deleteSecret(authority.CASecret)
		}, authority.CASecret, caRotated, "there was none"},
		"an expired CA": {func(c *cluster) {
			ca := newCA(c, old)
			c.store(authority.CASecret, files(ca, ca))
		}, authority.CASecret, caRotated, "the old one was not valid at this time"},
		"an empty caBundle":          {func(c *cluster) { c.setBundle(nil) }, authority.CASecret, injected, ""},
		"a caBundle with another CA": {func(c *cluster) { c.setBundle(newCA(c, time.Now()).CertPEM) }, authority.CASecret, injected, ""},
	} {
		t.Run(name, func(t *testing.T) {
			c := all.in(t)
			c.healed(i)
			test.damage(c)
			c.healed(i)
			c.until("an event reports the repair", func() bool {
				note := test.note
				if test.why != "" {
					note = fmt.Sprintf(note, c.notAfter(test.secret).UTC().Format(time.RFC3339), test.why)
				}
				return c.reported(test.secret, note)
			})
		})
	}
}

// The test runs each command exactly as the message prints it.
func TestUnrepairableDamageReportsWhatToDo(t *testing.T) {
	all := sharedCluster(t)
	i := all.installWith(all.options([]string{quick}))
	sweeper := all.leader(i)
	for name, test := range map[string]struct {
		damage, says, command string
	}{
		"an immutable certificate": {
			`kubectl patch secret -n isolate-system isolate-webhook-tls -p '{"immutable": true}'`,
			"Secret isolate-system/isolate-webhook-tls is immutable, so isolate can't renew the webhook's certificate. " +
				"Delete it, and isolate creates a new one: ",
			"kubectl delete secret -n isolate-system isolate-webhook-tls",
		},
		"an immutable CA": {
			`kubectl patch secret -n isolate-system isolate-ca -p '{"immutable": true}'`,
			"Secret isolate-system/isolate-ca is immutable, so isolate can't renew the webhook's certificate. " +
				"Delete it, and isolate creates a new one: ",
			"kubectl delete secret -n isolate-system isolate-ca",
		},
		"a certificate that cert-manager issued": {
			"kubectl annotate secret -n isolate-system isolate-webhook-tls cert-manager.io/certificate-name=isolate-webhook",
			"To let isolate issue the webhook's certificate: kubectl delete certificate -n isolate-system isolate-webhook --ignore-not-found, then ",
			"kubectl annotate secret -n isolate-system isolate-webhook-tls cert-manager.io/certificate-name-",
		},
		"a caBundle that cert-manager writes": {
			"kubectl annotate mutatingwebhookconfiguration isolate cert-manager.io/inject-ca-from=isolate-system/isolate-ca",
			"To let isolate write it: ",
			"kubectl annotate mutatingwebhookconfiguration isolate cert-manager.io/inject-ca-from-",
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := all.in(t)
			c.healed(i)
			c.shell(test.damage)
			c.until("the log says what to do", func() bool { return c.logged(sweeper, test.says+test.command) > 0 })
			c.until("an event says what to do", func() bool { return c.reported(authority.ServingSecret, test.says+test.command) })
			blocked, _ := c.metric(sweeper, "isolate_certificate_blocked")
			require.InDelta(t, 1, blocked, 0)
			c.shell(test.command)
			c.healed(i)
			c.until("the certificate is no longer blocked", func() bool {
				blocked, ok := c.metric(sweeper, "isolate_certificate_blocked")
				return ok && blocked == 0
			})
		})
	}
}

// Anyone may have written the annotations last, for example by restoring a backup.
func TestForgedRotationAnnotationsHaveNoEffect(t *testing.T) {
	c := sharedCluster(t)
	i := c.installWith(c.options([]string{quick}))
	c.healed(i)
	c.kubectl("annotate", "--overwrite", "--namespace="+installation.Namespace, "secret/"+authority.CASecret,
		authority.TrustedSinceKey+"=2020-01-01T00:00:00Z", authority.ServedSinceKey+"=2020-01-01T00:00:00Z")
	c.store(authority.CASecret, map[string][]byte{certs.KeyFile: []byte("x")})
	c.healed(i)
}

// If a policy reverts every write, the sweeper must not write in an endless loop.
func TestRepeatedlyRevertedWriteIsReported(t *testing.T) {
	c := sharedCluster(t)
	i := c.installWith(c.options([]string{quick}))
	c.healed(i)
	sweeper := c.leader(i)
	remove := c.undo()
	c.deleteSecret(authority.CASecret)
	c.until("the sweeper reports it", func() bool {
		return c.logged(sweeper, "the webhook's certificate keeps being changed by something else: what is stored never matches what was written; "+
			"look for a webhook or a policy that changes Secret isolate-ca") > 0
	})
	remove()
	c.healed(i)
}

// undo makes the API server revert the recorded progress of a rotation.
func (c *cluster) undo() (remove func()) {
	c.Helper()
	const name = "undo"
	api := c.admin.AdmissionregistrationV1()
	_, err := api.MutatingAdmissionPolicies().Create(c.Context(), &admissionregistrationv1.MutatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: admissionregistrationv1.MutatingAdmissionPolicySpec{
			MatchConstraints: &admissionregistrationv1.MatchResources{ResourceRules: []admissionregistrationv1.NamedRuleWithOperations{{
				ResourceNames: []string{authority.CASecret},
				RuleWithOperations: admissionregistrationv1.RuleWithOperations{
					Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create, admissionregistrationv1.Update},
					Rule:       admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"secrets"}},
				},
			}}},
			ReinvocationPolicy: admissionregistrationv1.NeverReinvocationPolicy,
			Mutations: []admissionregistrationv1.Mutation{{
				PatchType: admissionregistrationv1.PatchTypeApplyConfiguration,
				ApplyConfiguration: &admissionregistrationv1.ApplyConfiguration{
					Expression: `Object{metadata: Object.metadata{annotations: {"` + authority.TrustedSinceKey + `": ""}}}`,
				},
			}},
		},
	}, metav1.CreateOptions{})
	require.NoError(c, err)
	_, err = api.MutatingAdmissionPolicyBindings().Create(c.Context(), &admissionregistrationv1.MutatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: admissionregistrationv1.MutatingAdmissionPolicyBindingSpec{PolicyName: name},
	}, metav1.CreateOptions{})
	require.NoError(c, err)
	remove = func() {
		require.NoError(c, api.MutatingAdmissionPolicyBindings().Delete(c.Context(), name, metav1.DeleteOptions{}))
		require.NoError(c, api.MutatingAdmissionPolicies().Delete(c.Context(), name, metav1.DeleteOptions{}))
	}
	c.until("the policy is effective", func() bool {
		secret, err := c.admin.CoreV1().Secrets(installation.Namespace).Patch(c.Context(), authority.CASecret, types.MergePatchType,
			[]byte(`{"metadata": {"labels": {"probe": "true"}}}`), metav1.PatchOptions{DryRun: []string{metav1.DryRunAll}})
		require.NoError(c, err)
		return secret.Annotations[authority.TrustedSinceKey] == ""
	})
	return remove
}
