package alertmanager

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"isolate.example.io/test/framework/waiting"
)

// memoryBound is half of the shipped memory limit.
const memoryBound = 64 << 20

// peakMemory returns the most memory that the replica ever had, in bytes.
func (r *receiver) peakMemory() int {
	r.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", r.PID()))
	require.NoError(r, err)
	_, rest, found := strings.Cut(string(data), "VmHWM:")
	require.True(r, found)
	kib, err := strconv.Atoi(strings.Fields(rest)[0])
	require.NoError(r, err)
	return kib << 10
}

// requireLittleMemory fails if the replica ever had more memory than the bound.
func (r *receiver) requireLittleMemory() {
	r.Helper()
	peak := r.peakMemory()
	r.Logf("the replica had at most %d MiB", peak>>20)
	require.Less(r, peak, memoryBound)
}

// openFiles returns how many files and connections the replica has open.
func (r *receiver) openFiles() int {
	r.Helper()
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", r.PID()))
	require.NoError(r, err)
	return len(open)
}

// manyAlerts are a million alerts, each as short as possible or complete.
func manyAlerts(one string) []byte {
	return []byte(`{"version":"4","alerts":[` + strings.Repeat(one+",", 999_999) + one + `]}`)
}

// Not parallel: its subtests read the same counters.
func TestHostileRequests(t *testing.T) {
	n := newNamespace(t, 2)
	r := startReceiver(t, allow(n)...)
	valid := "Bearer " + token
	complete := `{"status":"firing","labels":{"alertname":"PodServesErrors","namespace":"` + n.name + `","pod":"web"},"startsAt":"2026-03-01T12:00:00Z","fingerprint":"1a2b3c4d5e6f7081"}`
	for name, test := range map[string]struct {
		body          []byte
		authorization string
		code          int
		reason        string
	}{
		"a million empty alerts":       {manyAlerts("{}"), valid, 413, "TooLarge"},
		"a million alerts":             {manyAlerts(complete), valid, 413, "TooLarge"},
		"101 alerts":                   {[]byte(`{"version":"4","alerts":[` + strings.Repeat(complete+",", 100) + complete + `]}`), valid, 413, "TooLarge"},
		"a huge label":                 {[]byte(`{"version":"4","alerts":[{"labels":{"pod":"` + strings.Repeat("a", 64<<20) + `"}}]}`), valid, 413, "TooLarge"},
		"a large label":                {[]byte(`{"version":"4","alerts":[{"status":"firing","startsAt":"2026-03-01T12:00:00Z","fingerprint":"1a2b3c4d5e6f7081","labels":{"namespace":"` + strings.Repeat("a", 1<<19) + `"}}]}`), valid, 422, "InvalidNamespace"},
		"a million labels":             {[]byte(`{"version":"4","alerts":[{"labels":{` + strings.Repeat(`"a":"b",`, 120_000) + `"pod":"web"}}]}`), valid, 400, "Malformed"},
		"deep nesting":                 {[]byte(`{"version":"4","alerts":` + strings.Repeat("[", 500_000)), valid, 400, "Malformed"},
		"deep nesting elsewhere":       {[]byte(`{"version":"4","x":` + strings.Repeat(`{"a":`, 200_000)), valid, 400, "Malformed"},
		"many fields":                  {[]byte(`{"version":"4"` + manyFields() + `}`), valid, 400, "Malformed"},
		"two alerts":                   {[]byte(`{"version":"4","alerts":[],"alerts":[` + complete + `]}`), valid, 400, "Malformed"},
		"two pods in one alert":        {[]byte(`{"version":"4","alerts":[` + strings.Replace(complete, `"pod":"web"`, `"pod":"web","pod":"other"`, 1) + `]}`), valid, 400, "Malformed"},
		"two labels in one alert":      {[]byte(`{"version":"4","alerts":[` + strings.Replace(complete, `"labels"`, `"labels":{},"labels"`, 1) + `]}`), valid, 400, "Malformed"},
		"another version":              {[]byte(`{"version":"5","alerts":[]}`), valid, 400, "Malformed"},
		"no version":                   {[]byte(`{"alerts":[]}`), valid, 400, "Malformed"},
		"a list":                       {[]byte(`[]`), valid, 400, "Malformed"},
		"nothing":                      {nil, valid, 400, "Malformed"},
		"something after it":           {[]byte(`{"version":"4","alerts":[]} {}`), valid, 400, "Malformed"},
		"zero bytes":                   {make([]byte, 1000), valid, 400, "Malformed"},
		"no token":                     {[]byte(`{"version":"4","alerts":[` + complete + `]}`), "", 401, "Unauthorized"},
		"another token":                {[]byte(`{"version":"4","alerts":[` + complete + `]}`), valid + "0", 401, "Unauthorized"},
		"a part of the token":          {[]byte(`{"version":"4","alerts":[` + complete + `]}`), valid[:len(valid)-1], 401, "Unauthorized"},
		"the token as a password":      {[]byte(`{"version":"4","alerts":[` + complete + `]}`), "Basic " + token, 401, "Unauthorized"},
		"a million, without the token": {manyAlerts("{}"), "", 401, "Unauthorized"},
	} {
		t.Run(name, func(t *testing.T) {
			before := r.refused(test.reason)
			code, body, err := r.try(t.Context(), bytes.NewReader(test.body), test.authorization)
			if err == nil { // Otherwise the receiver answered and closed before everything was sent.
				require.Equal(t, test.code, code, body)
				require.True(t, strings.HasPrefix(body, test.reason+": "), body)
				require.Less(t, len(body), 1024)
			}
			waiting.Until(t, func() bool { return r.refused(test.reason) == before+1 }, "it is counted as %s", test.reason)
		})
	}
	for _, pod := range n.serving() {
		require.False(t, n.quarantined(pod))
	}
	r.requireLittleMemory()
}

func manyFields() string {
	var fields strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&fields, `,"f%d":1`, i)
	}
	return fields.String()
}

// endless is a body that ends when the test does.
type endless struct {
	ctx  context.Context
	text string
}

func (e *endless) Read(p []byte) (int, error) {
	if err := e.ctx.Err(); err != nil {
		return 0, err
	}
	return copy(p, e.text), nil
}

// Untrusted clients open many connections, and send nothing, half a request or an endless one.
// Alertmanager's request is answered meanwhile.
func TestManyConnectionsDoNotKeepAlertmanagerOut(t *testing.T) {
	t.Parallel()
	n := newNamespace(t, 1)
	r := startReceiver(t, allow(n)...)
	pod := n.first()
	ctx, stop := context.WithCancel(t.Context())
	var group sync.WaitGroup
	for i := range 400 {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", r.address())
		require.NoError(t, err)
		t.Cleanup(func() { conn.Close() })
		// The receiver may have closed it already.
		_, _ = io.WriteString(conn, []string{"", "P", "POST /alerts HTTP/1.1\r\nHost: a\r\n", "POST /alerts HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n{"}[i%4])
	}
	require.Less(t, r.openFiles(), 250, "it has closed most of them")
	for range 20 {
		group.Go(func() { _, _, _ = r.try(ctx, &endless{ctx, " "}, "Bearer guess") })
	}
	waiting.Until(t, func() bool {
		code, _, err := r.try(t.Context(), bytes.NewReader([]byte(`{"version":"4","alerts":[]}`)), "Bearer "+token)
		return err == nil && code == http.StatusOK
	}, "a request is answered")
	code, body := r.notify(firing(fingerprint, labels(pod)))
	require.Equal(t, http.StatusOK, code, body)
	require.True(t, n.quarantined(pod.Name))
	stop()
	group.Wait()
	r.requireLittleMemory()
}
