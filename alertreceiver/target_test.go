package alertreceiver

import (
	"maps"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"isolate.example.io/quarantine"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const fingerprint = "1a2b3c4d5e6f7081"

func config() Config {
	c := DefaultConfig()
	c.Namespaces, c.Alerts = sets.New("shop"), sets.New("PodServesErrors")
	return c
}

// firing returns an alert about pod web-1, with the labels over its own.
func firing(labels map[string]string) alert {
	all := map[string]string{"alertname": "PodServesErrors", "namespace": "shop", "pod": "web-1"}
	maps.Copy(all, labels)
	return alert{
		Status: statusFiring, Labels: all, StartsAt: noon, Fingerprint: fingerprint,
		Annotations: map[string]string{"summary": "web-1 answers 500", "quarantine_ttl": "4h"},
	}
}

func TestAnAlertNamesOnePod(t *testing.T) {
	c := config()
	got, refused := c.target(firing(map[string]string{"uid": "0c1d2e3f-0000-4000-8000-000000000000"}))
	require.Nil(t, refused)
	require.Equal(t, target{
		pod: client.ObjectKey{Namespace: "shop", Name: "web-1"}, uid: "0c1d2e3f-0000-4000-8000-000000000000",
		alert: "PodServesErrors", fingerprint: fingerprint, startsAt: noon, ttl: "4h", reason: "web-1 answers 500",
	}, got)
	require.Equal(t, "web-1 answers 500 (alert PodServesErrors, fingerprint 1a2b3c4d5e6f7081)", got.text())
}

func TestLabelsMustBeNames(t *testing.T) {
	long := strings.Repeat("a", 1<<20)
	for _, test := range []struct {
		label, value string
		reason       Reason
		message      string
	}{
		{"pod", "--all", ReasonInvalidPod, `The alert's label pod is "--all", and must be the name of a pod.`},
		{"pod", "-lapp=web", ReasonInvalidPod, `The alert's label pod is "-lapp=web", and must be the name of a pod.`},
		{"pod", "--server=https://203.0.113.9", ReasonInvalidPod, `The alert's label pod is "--server=https://203.0.113.9", and must be the name of a pod.`},
		{"pod", "web-1/../web-2", ReasonInvalidPod, `The alert's label pod is "web-1/../web-2", and must be the name of a pod.`},
		{"pod", "web-1\n", ReasonInvalidPod, `The alert's label pod is "web-1\n", and must be the name of a pod.`},
		{"pod", "", ReasonInvalidPod, `The alert has no label pod, and it must have the name of a pod there.`},
		{"pod", long, ReasonInvalidPod, `The alert's label pod is "` + long[:99] + `…", and must be the name of a pod.`},
		{"namespace", "", ReasonInvalidNamespace, `The alert has no label namespace, and it must have the name of a namespace there.`},
		{"namespace", "-A", ReasonInvalidNamespace, `The alert's label namespace is "-A", and must be the name of a namespace.`},
		{"namespace", "shop/../pay", ReasonInvalidNamespace, `The alert's label namespace is "shop/../pay", and must be the name of a namespace.`},
		{"namespace", "kube-system", ReasonNamespaceNotAllowed, `Alerts may not quarantine pods in namespace kube-system. To allow it: --allowed-namespace=kube-system, and a RoleBinding there.`},
		{"uid", "a b", ReasonInvalidUID, `The alert's label uid is "a b", and must be the UID of a pod.`},
		{"uid", long, ReasonInvalidUID, `The alert's label uid is "` + long[:99] + `…", and must be the UID of a pod.`},
		{"alertname", "Other", ReasonAlertNotAllowed, `The alert "Other" may not quarantine pods. To allow it, add it to --allowed-alert.`},
		{"alertname", "", ReasonAlertNotAllowed, `The alert "" may not quarantine pods. To allow it, add it to --allowed-alert.`},
	} {
		t.Run(test.label+"="+shorten(test.value), func(t *testing.T) {
			c := config()
			got, refused := c.target(firing(map[string]string{test.label: test.value}))
			require.Equal(t, permanent(test.reason, test.message), refused)
			if test.label == "pod" || test.label == "namespace" {
				require.Empty(t, got.pod, "nothing may be read")
			}
		})
	}
}

func TestNothingIsAllowedByDefault(t *testing.T) {
	c := DefaultConfig()
	_, refused := c.target(firing(nil))
	require.Equal(t, ReasonNamespaceNotAllowed, refused.reason)
	c.Namespaces = sets.New("shop")
	_, refused = c.target(firing(nil))
	require.Equal(t, ReasonAlertNotAllowed, refused.reason)
}

func TestMalformedAlerts(t *testing.T) {
	for name, change := range map[string]func(*alert){
		"no status":               func(a *alert) { a.Status = "" },
		"no fingerprint":          func(a *alert) { a.Fingerprint = "" },
		"a short fingerprint":     func(a *alert) { a.Fingerprint = "1a" },
		"an uppercase one":        func(a *alert) { a.Fingerprint = strings.ToUpper(fingerprint) },
		"a fingerprint with more": func(a *alert) { a.Fingerprint += " isolate" },
		"no start time":           func(a *alert) { a.StartsAt = time.Time{} },
	} {
		t.Run(name, func(t *testing.T) {
			a := firing(nil)
			change(&a)
			c := config()
			_, refused := c.target(a)
			require.Equal(t, ReasonMalformedAlert, refused.reason)
			require.Equal(t, 422, refused.code)
		})
	}
}

func TestTheReasonEndsWithTheAlert(t *testing.T) {
	got := target{alert: "Errors", fingerprint: fingerprint}
	require.Equal(t, "alert Errors, fingerprint 1a2b3c4d5e6f7081", got.text())
	got.reason = "\x1b[31mred\nnext\x00 line \xff"
	require.Equal(t, " [31mred next  line   (alert Errors, fingerprint 1a2b3c4d5e6f7081)", got.text())
	got.reason = strings.Repeat("ä", 5000)
	require.Equal(t, quarantine.MaxReasonLength, utf8.RuneCountInString(got.text()))
	require.True(t, strings.HasSuffix(got.text(), "ä… (alert Errors, fingerprint 1a2b3c4d5e6f7081)"))
}
