package alertreceiver

import (
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const complete = `{"status":"firing","labels":{"alertname":"PodServesErrors","namespace":"shop","pod":"web-1"},` +
	`"annotations":{"summary":"web-1 answers 500","quarantine_ttl":"4h"},"startsAt":"2026-03-01T12:00:00Z","fingerprint":"1a2b3c4d5e6f7081"}`

func TestAlertmanagersFormatIsDecoded(t *testing.T) {
	read, err := decode(strings.NewReader(`{
		"receiver":"quarantine","status":"firing","alerts":[` + strings.Replace(complete, `"status"`, `"endsAt":"0001-01-01T00:00:00Z","generatorURL":"http://prometheus","status"`, 1) + `],
		"groupLabels":{"pod":"web-1"},"commonLabels":{},"commonAnnotations":{},"externalURL":"http://alertmanager",
		"version":"4","groupKey":"{}/{}:{}","truncatedAlerts":3}`))
	require.NoError(t, err)
	require.Equal(t, payload{version: "4", alerts: []alert{firing(nil)}, truncated: 3}, read)
}

func TestMalformedPayloads(t *testing.T) {
	for body, message := range map[string]string{
		``:                                  "EOF",
		`[]`:                                `found [ in place of "{"`,
		`"x"`:                               `found x in place of "{"`,
		`{"version":4}`:                     "cannot unmarshal number",
		`{"alerts":{}}`:                     `found { in place of "["`,
		`{"alerts":[1]}`:                    "cannot unmarshal number",
		`{"alerts":[{}`:                     "EOF",
		`{} {}`:                             "something follows the JSON object",
		`{"version":"4","version":"4"}`:     `duplicate or too many fields, such as "version"`,
		`{"alerts":[{"labels":{"pod":1}}]}`: "cannot unmarshal number",
		`{"alerts":[{"labels":{"pod":"a","pod":"b"}}]}`: `duplicate field "labels.pod"`,
		`{"alerts":[{"status":"a","status":"b"}]}`:      `duplicate field "status"`,
		`{"alerts":[{"startsAt":"noon"}]}`:              "cannot parse",
		`{"x":` + strings.Repeat("[", 20_000):           "exceeded max depth",
	} {
		t.Run(shorten(body), func(t *testing.T) {
			_, err := decode(strings.NewReader(body))
			require.ErrorContains(t, err, message)
		})
	}
}

// Keys that differ in case are other keys, as for every reader but encoding/json.
func TestKeysAreCaseSensitive(t *testing.T) {
	read, err := decode(strings.NewReader(`{"Version":"5","version":"4","alerts":[{"labels":{"pod":"a","Pod":"b"},"Labels":{"pod":"c"}}]}`))
	require.NoError(t, err)
	require.Equal(t, payload{version: "4", alerts: []alert{{Labels: map[string]string{"pod": "a", "Pod": "b"}}}}, read)
}

func TestAMillionAlertsAreNotDecoded(t *testing.T) {
	body := strings.NewReader(`{"alerts":[` + strings.Repeat(complete+",", 1_000_000) + complete + `]}`)
	read, err := decode(body)
	require.ErrorIs(t, err, errTooManyAlerts)
	require.Len(t, read.alerts, maxAlerts)
	require.Greater(t, body.Len(), 100<<20, "most of it is never read")
}

func FuzzDecode(f *testing.F) {
	f.Add(`{"version":"4","alerts":[` + complete + `]}`)
	f.Add(`{"alerts":[{"labels":{"pod":"--all"}}],"truncatedAlerts":1}`)
	f.Fuzz(func(t *testing.T, body string) {
		read, err := decode(io.LimitReader(strings.NewReader(body), maxBody))
		if err != nil {
			return
		}
		c := config()
		for _, a := range read.alerts {
			got, refused := c.target(a)
			if got.pod.Name == "" {
				require.NotNil(t, refused)
				continue
			}
			require.Equal(t, "shop", got.pod.Namespace)
			require.Regexp(t, `^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$`, got.pod.Name)
			if refused == nil {
				require.True(t, strings.HasSuffix(strings.TrimSuffix(got.text(), ")"), "alert PodServesErrors, fingerprint "+a.Fingerprint))
			}
		}
	})
}
