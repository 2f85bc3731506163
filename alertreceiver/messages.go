package alertreceiver

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/types"

	"isolate.example.io/quarantine"
)

// Log messages.
const (
	logHandled        = "Handled an alert"
	logRefused        = "Refused an alert"
	logRefusedRequest = "Refused a request"
)

// maxShown bounds, in characters, what a message shows of a request.
const maxShown = 100

// What a label of an alert must be.
const (
	kindNamespace = "the name of a namespace"
	kindPod       = "the name of a pod"
	kindUID       = "the UID of a pod"
)

const (
	messageUnauthorized = "The request has no valid token. Give Alertmanager the receiver's token: http_config.authorization.credentials_file in the receiver's webhook_configs."
	messageTooLarge     = "The request is larger than 1 MiB or has more than 100 alerts. Group the alerts by namespace and pod: group_by in Alertmanager's route."
	messageOverloaded   = "Too many requests are under way. Nothing was done; retry."
	messageTooLate      = "The request took too long. Nothing was done for this alert; retry."
)

func messageMalformed(err error) string {
	return fmt.Sprintf("The request is not in Alertmanager's webhook format, version %s: %s. Leave webhook_configs.payload out.", formatVersion, shorten(err.Error()))
}

func messageVersion(version string) string {
	return fmt.Sprintf("The request has version %q of Alertmanager's webhook format, and must have %q.", shorten(version), formatVersion)
}

func messageTruncated(n uint64) string {
	return fmt.Sprintf("Alertmanager left out %d alerts of the group. Remove max_alerts from webhook_configs, or group the alerts by namespace and pod.", n)
}

func messageMalformedAlert(a alert) string {
	return fmt.Sprintf("The alert has status %q, fingerprint %q and startsAt %s, and must have firing or resolved, 16 hexadecimal digits, and a time.",
		shorten(a.Status), shorten(a.Fingerprint), a.StartsAt)
}

func messageInvalidLabel(label, value, kind string) string {
	if value == "" {
		return fmt.Sprintf("The alert has no label %s, and it must have %s there.", label, kind)
	}
	return fmt.Sprintf("The alert's label %s is %q, and must be %s.", label, shorten(value), kind)
}

func messageNamespaceNotAllowed(namespace string) string {
	return fmt.Sprintf("Alerts may not quarantine pods in namespace %s. To allow it: --allowed-namespace=%s, and a RoleBinding there.", namespace, namespace)
}

func messageAlertNotAllowed(alert string) string {
	return fmt.Sprintf("The alert %q may not quarantine pods. To allow it, add it to --allowed-alert.", shorten(alert))
}

func messagePodReplaced(t *target, uid types.UID) string {
	return fmt.Sprintf("The alert is about pod %s with UID %s, and the pod with this name has UID %s.", t.pod, t.uid, uid)
}

func messageTriggerIgnored(t *target) string {
	return fmt.Sprintf("The pod has %s=true from before isolate was installed, which has no effect. Remove it: kubectl annotate pod -n %s %s %s-",
		quarantine.TriggerKey, t.pod.Namespace, t.pod.Name, quarantine.TriggerKey)
}

func messageNotQuarantined(t target) string {
	return fmt.Sprintf("The API server stored the annotation of pod %s, and isolate did not see it. Check that isolate is installed and that the MutatingWebhookConfiguration isolate exists.", t.pod)
}

func errShortToken(file string) error {
	return fmt.Errorf("%s has a token of less than %d characters: create one with openssl rand -hex 32", file, minTokenLength)
}

func errNoToken(file string) error {
	return fmt.Errorf("%s is empty: create a token with openssl rand -hex 32", file)
}

// eventNote is the sentence of the event about a refusal.
func eventNote(t target, refused *refusal) string {
	return fmt.Sprintf("Alert %s did not quarantine this pod (%s): %s", printable(shorten(t.alert)), refused.reason, printable(refused.message))
}

// text is the reason of the quarantine. The alert's name and fingerprint come last, and are
// never cut.
func (t *target) text() string {
	source := fmt.Sprintf("alert %s, fingerprint %s", printable(shorten(t.alert)), t.fingerprint)
	if t.reason == "" {
		return source
	}
	source = " (" + source + ")"
	return cut(printable(t.reason), quarantine.MaxReasonLength-utf8.RuneCountInString(source)) + source
}

// printable replaces control characters, such as those that would change the colors of a
// terminal, by spaces.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, " "))
}

// shorten cuts what a message shows of a request.
func shorten(s string) string { return cut(s, maxShown) }

// cut shortens text to at most so many characters.
func cut(s string, characters int) string {
	n := 0
	for i := range s {
		if n == characters-1 && utf8.RuneCountInString(s[i:]) > 1 {
			return s[:i] + "…"
		}
		n++
	}
	return s
}
