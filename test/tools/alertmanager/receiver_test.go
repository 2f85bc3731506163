package alertmanager

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"isolate.example.io/test/framework/installation"
)

// receiver is a running replica of the alert receiver.
type receiver struct {
	testing.TB
	*installation.Program
}

// startReceiver starts a replica with the shipped flags and these.
func startReceiver(t testing.TB, flags ...string) *receiver {
	t.Helper()
	program, err := isolated.StartAlertReceiver(t.Context(), tokenFile, flags...)
	require.NoError(t, err)
	t.Cleanup(program.Kill)
	return &receiver{t, program}
}

func (r *receiver) address() string { return "127.0.0.1:" + strconv.Itoa(r.Port) }

func (r *receiver) url() string { return "http://" + r.address() + "/alerts" }

// alert is an alert in Alertmanager's webhook format.
type alert struct {
	Status      string            `json:"status"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	StartsAt    time.Time         `json:"startsAt"`
	EndsAt      time.Time         `json:"endsAt"`
	Fingerprint string            `json:"fingerprint"`
}

// payload is a request in Alertmanager's webhook format.
type payload struct {
	Version         string            `json:"version"`
	GroupKey        string            `json:"groupKey"`
	Status          string            `json:"status"`
	Receiver        string            `json:"receiver"`
	GroupLabels     map[string]string `json:"groupLabels"`
	TruncatedAlerts int               `json:"truncatedAlerts"`
	Alerts          []alert           `json:"alerts"`
}

var startsAt = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// firing returns an alert with the labels, each as name=value.
func firing(fingerprint string, all []string) alert {
	a := alert{
		Status: "firing", Labels: map[string]string{}, Annotations: map[string]string{"summary": "it answers 500"},
		StartsAt: startsAt, Fingerprint: fingerprint,
	}
	for _, label := range all {
		name, value, _ := strings.Cut(label, "=")
		a.Labels[name] = value
	}
	return a
}

// notify sends alerts as Alertmanager does, and returns the answer.
func (r *receiver) notify(alerts ...alert) (code int, body string) {
	r.Helper()
	data, err := json.Marshal(payload{Version: "4", GroupKey: "{}:{}", Status: "firing", Receiver: "quarantine", Alerts: alerts})
	require.NoError(r, err)
	return r.post(data, "Bearer "+token)
}

func (r *receiver) post(data []byte, authorization string) (code int, body string) {
	r.Helper()
	code, body, err := r.try(r.Context(), bytes.NewReader(data), authorization)
	require.NoError(r, err)
	return code, body
}

func (r *receiver) try(ctx context.Context, data io.Reader, authorization string) (code int, body string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url(), data)
	if err != nil {
		return 0, "", err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", authorization)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return response.StatusCode, string(text), err
}

// count returns a counter of the receiver.
func (r *receiver) count(series string) int {
	r.Helper()
	value, ok := r.Metric(r.Context(), series)
	require.True(r, ok, series)
	return int(value)
}

func (r *receiver) results(result string) int {
	r.Helper()
	return r.count(`isolate_alerts_total{result="` + result + `"}`)
}

func (r *receiver) refused(reason string) int {
	r.Helper()
	return r.count(`isolate_alert_refusals_total{reason="` + reason + `"}`)
}

func (r *receiver) log() string {
	r.Helper()
	data, err := os.ReadFile(r.Program.Log)
	require.NoError(r, err)
	return string(data)
}
