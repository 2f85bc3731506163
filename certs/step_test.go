package certs

import (
	"testing"
	"time"

	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
)

func TestTheNextStep(t *testing.T) {
	ca, other := newCA(t, start), newCA(t, start)
	for name, c := range map[string]struct {
		change func(w *world)
		action Action
		why    Why
	}{
		"nothing to do":                      {func(*world) {}, ActionWait, ""},
		"a first install":                    {func(w *world) { w.State = State{} }, ActionNewCA, WhyMissing},
		"the authority is gone":              {func(w *world) { w.CA = nil }, ActionNewCA, WhyMissing},
		"the authority has another's key":    {func(w *world) { w.CA.Data["tls.key"] = other.KeyPEM }, ActionNewCA, WhyDamaged},
		"the authority is another's leaf":    {func(w *world) { w.CA.Data = w.Serving.Data }, ActionNewCA, WhyDamaged},
		"the authority may not sign for us":  {func(w *world) { c := constrained(w.T); w.holds(c, c) }, ActionNewCA, WhyDamaged},
		"the authority can't be read":        {func(w *world) { w.CA.Data["tls.key"] = []byte("x") }, ActionNewCA, WhyDamaged},
		"the authority has expired":          {func(w *world) { w.now = start.Add(caValidity + time.Hour) }, ActionNewCA, WhyExpired},
		"the authority is from tomorrow":     {func(w *world) { w.now = start.Add(-24 * time.Hour) }, ActionNewCA, WhyExpired},
		"two thirds of the authority's time": {func(w *world) { w.now = start.Add(caValidity * 2 / 3) }, ActionNewCA, WhyDue},
		"the authority was exchanged":        {func(w *world) { w.holds(other, ca) }, ActionBundle, WhyDamaged},
		"nobody knows what is served":        {func(w *world) { w.trusts(pem(w.T, ca, other)); w.Serving = nil }, ActionBundle, WhyUnlisted},
		"the list of authorities is gone":    {func(w *world) { delete(w.CA.Data, CAFile) }, ActionBundle, WhyDamaged},
		"the caBundle is empty":              {func(w *world) { w.trusts(nil) }, ActionInject, ""},
		"the caBundle is another":            {func(w *world) { w.trusts(other.CertPEM) }, ActionInject, ""},
		"no certificate":                     {func(w *world) { w.Serving = nil }, ActionServe, WhyMissing},
		"a certificate that can't be read":   {func(w *world) { w.Serving.Data["tls.crt"] = []byte("x") }, ActionServe, WhyDamaged},
		"a certificate of another authority": {func(w *world) { w.serves(other, start) }, ActionServe, WhyOtherCA},
		"a certificate from tomorrow":        {func(w *world) { w.serves(ca, start.Add(24*time.Hour)) }, ActionServe, WhyExpired},
		"a certificate with another's key":   {func(w *world) { w.Serving.Data["tls.key"] = other.KeyPEM }, ActionServe, WhyDamaged},
		"a certificate for other names": {func(w *world) {
			w.servesAs(ca, cmapi.CertificateSpec{DNSNames: []string{"web.shop.svc"}, Usages: []cmapi.KeyUsage{cmapi.UsageServerAuth}})
		}, ActionServe, WhyOtherNames},
		"a certificate for clients": {func(w *world) {
			w.servesAs(ca, cmapi.CertificateSpec{DNSNames: settings.Names, Usages: []cmapi.KeyUsage{cmapi.UsageClientAuth}})
		}, ActionServe, WhyDamaged},
		"an authority as the certificate": {func(w *world) { w.Serving.Data = w.CA.Data }, ActionServe, WhyOtherNames},
		"a certificate that has expired":  {func(w *world) { w.now = start.Add(servingValidity + time.Hour) }, ActionServe, WhyExpired},
		"two thirds of the certificate's": {func(w *world) { w.now = start.Add(servingValidity * 2 / 3) }, ActionServe, WhyDue},
		"just before":                     {func(w *world) { w.now = start.Add(servingValidity*2/3 - time.Second) }, ActionWait, ""},
		"another type of Secret":          {func(w *world) { w.Serving.Type = corev1.SecretTypeOpaque }, ActionWait, ""},
		"an immutable Secret":             {func(w *world) { w.CA.Immutable = new(true) }, ActionStop, ""},
		"cert-manager's Secret":           {func(w *world) { w.Serving.Annotations["cert-manager.io/certificate-name"] = "x" }, ActionStop, ""},
		"cert-manager's caBundle": {func(w *world) {
			w.Configuration.Annotations = map[string]string{"cert-manager.io/inject-ca-from": "a/b"}
		}, ActionStop, ""},
		"no webhook configuration": {func(w *world) { w.Configuration = nil }, ActionWait, ""},
		"a stamp from the future":  {func(w *world) { w.CA.Annotations[TrustedSinceKey] = start.Add(24 * time.Hour).Format(time.RFC3339) }, ActionStamp, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := settled(t, ca)
			c.change(w)
			step := Next(w.State, w.now, settings)
			require.Equal(t, c.action, step.Action)
			require.Equal(t, c.why, step.Why)
		})
	}
}
