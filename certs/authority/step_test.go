package authority

import (
	"testing"
	"time"

	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"isolate.example.io/certs"
)

func TestNext(t *testing.T) {
	ca, other := newCA(t, start), newCA(t, start)
	for name, c := range map[string]struct {
		change func(w *world)
		action Action
		cause  Cause
	}{
		"nothing to do":                         {func(*world) {}, ActionWait, ""},
		"a first install":                       {func(w *world) { w.State = State{} }, ActionCreateCA, CauseMissing},
		"the CA is gone":                        {func(w *world) { w.CA = nil }, ActionCreateCA, CauseMissing},
		"the CA has the key of another":         {func(w *world) { w.CA.Data["tls.key"] = other.KeyPEM }, ActionCreateCA, CauseDamaged},
		"the CA is a leaf":                      {func(w *world) { w.CA.Data = w.Serving.Data }, ActionCreateCA, CauseDamaged},
		"the CA is constrained to other names":  {func(w *world) { c := constrained(w.T); w.holds(c, c) }, ActionCreateCA, CauseDamaged},
		"the CA can't be parsed":                {func(w *world) { w.CA.Data["tls.key"] = []byte("x") }, ActionCreateCA, CauseDamaged},
		"the CA has expired":                    {func(w *world) { w.now = start.Add(caValidity + time.Hour) }, ActionCreateCA, CauseExpired},
		"the CA is not valid yet":               {func(w *world) { w.now = start.Add(-24 * time.Hour) }, ActionCreateCA, CauseExpired},
		"two thirds of the CA's validity":       {func(w *world) { w.now = start.Add(caValidity * 2 / 3) }, ActionCreateCA, CauseDue},
		"the CA was replaced":                   {func(w *world) { w.holds(other, ca) }, ActionWriteBundle, CauseDamaged},
		"the serving certificate is unknown":    {func(w *world) { w.trusts(pem(w.T, ca, other)); w.Serving = nil }, ActionWriteBundle, CauseUnlisted},
		"the bundle is gone":                    {func(w *world) { delete(w.CA.Data, certs.CAFile) }, ActionWriteBundle, CauseDamaged},
		"the caBundle is empty":                 {func(w *world) { w.trusts(nil) }, ActionInject, ""},
		"the caBundle is of another CA":         {func(w *world) { w.trusts(other.CertPEM) }, ActionInject, ""},
		"no certificate":                        {func(w *world) { w.Serving = nil }, ActionIssue, CauseMissing},
		"a certificate that can't be parsed":    {func(w *world) { w.Serving.Data["tls.crt"] = []byte("x") }, ActionIssue, CauseDamaged},
		"a certificate of another CA":           {func(w *world) { w.serves(other, start) }, ActionIssue, CauseOtherCA},
		"a certificate that is not valid yet":   {func(w *world) { w.serves(ca, start.Add(24*time.Hour)) }, ActionIssue, CauseExpired},
		"a certificate with the key of another": {func(w *world) { w.Serving.Data["tls.key"] = other.KeyPEM }, ActionIssue, CauseDamaged},
		"a certificate for other names": {func(w *world) {
			w.servesAs(ca, cmapi.CertificateSpec{DNSNames: []string{"web.shop.svc"}, Usages: []cmapi.KeyUsage{cmapi.UsageServerAuth}})
		}, ActionIssue, CauseOtherNames},
		"a certificate for clients": {func(w *world) {
			w.servesAs(ca, cmapi.CertificateSpec{DNSNames: config.DNSNames, Usages: []cmapi.KeyUsage{cmapi.UsageClientAuth}})
		}, ActionIssue, CauseDamaged},
		"a CA as the certificate":                  {func(w *world) { w.Serving.Data = w.CA.Data }, ActionIssue, CauseOtherNames},
		"a certificate that has expired":           {func(w *world) { w.now = start.Add(servingValidity + time.Hour) }, ActionIssue, CauseExpired},
		"two thirds of the certificate's validity": {func(w *world) { w.now = start.Add(servingValidity * 2 / 3) }, ActionIssue, CauseDue},
		"just before two thirds of it":             {func(w *world) { w.now = start.Add(servingValidity*2/3 - time.Second) }, ActionWait, ""},
		"another type of Secret":                   {func(w *world) { w.Serving.Type = corev1.SecretTypeOpaque }, ActionWait, ""},
		"an immutable Secret":                      {func(w *world) { w.CA.Immutable = new(true) }, ActionBlocked, ""},
		"cert-manager's Secret":                    {func(w *world) { w.Serving.Annotations["cert-manager.io/certificate-name"] = "x" }, ActionBlocked, ""},
		"cert-manager's caBundle": {func(w *world) {
			w.Configuration.Annotations = map[string]string{"cert-manager.io/inject-ca-from": "a/b"}
		}, ActionBlocked, ""},
		"no webhook configuration":      {func(w *world) { w.Configuration = nil }, ActionWait, ""},
		"an annotation from the future": {func(w *world) { w.CA.Annotations[TrustedSinceKey] = start.Add(24 * time.Hour).Format(time.RFC3339) }, ActionAnnotate, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := rotated(t, ca)
			c.change(w)
			step := Next(w.State, w.now, config)
			require.Equal(t, c.action, step.Action)
			require.Equal(t, c.cause, step.Cause)
		})
	}
}
