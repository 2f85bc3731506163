package alertreceiver

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	kjson "sigs.k8s.io/json"
)

const (
	// maxBody bounds a request. A group with one pod has some kilobytes.
	maxBody = 1 << 20

	// maxAlerts bounds the alerts of a request: each may cost two requests to the API server.
	maxAlerts = 100

	// formatVersion is the version of Alertmanager's webhook format.
	formatVersion = "4"
)

// States of an alert.
const (
	statusFiring   = "firing"
	statusResolved = "resolved"
)

// alert is what the receiver reads of one alert.
type alert struct {
	Status      string            `json:"status"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	StartsAt    time.Time         `json:"startsAt"`
	Fingerprint string            `json:"fingerprint"`
}

// payload is what the receiver reads of one request.
type payload struct {
	version   string
	alerts    []alert
	truncated uint64
}

var (
	errTooManyAlerts = fmt.Errorf("it has more than %d alerts", maxAlerts)
	errTrailing      = errors.New("something follows the JSON object")
)

// decode reads a request one alert at a time, so that its memory is bounded by the largest
// alert and the number of alerts, not by what fits into the body. A duplicate key is an
// error: another program could have read the other value.
func decode(body io.Reader) (payload, error) {
	var read payload
	decoder := json.NewDecoder(body)
	if err := expect(decoder, json.Delim('{')); err != nil {
		return read, err
	}
	seen := map[string]bool{}
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return read, err
		}
		key, _ := token.(string) // Within an object, the decoder accepts only strings as keys.
		if len(seen) == maxFields || seen[key] {
			return read, fmt.Errorf("duplicate or too many fields, such as %q", shorten(key))
		}
		seen[key] = true
		if err := read.field(decoder, key); err != nil {
			return read, err
		}
	}
	if err := expect(decoder, json.Delim('}')); err != nil {
		return read, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return read, errTrailing
	}
	return read, nil
}

// maxFields bounds the fields of the request. The format has eleven.
const maxFields = 100

// field reads the value of one field of the request.
func (p *payload) field(decoder *json.Decoder, key string) error {
	switch key {
	case "version":
		return decoder.Decode(&p.version)
	case "truncatedAlerts":
		return decoder.Decode(&p.truncated)
	case "alerts":
		return p.readAlerts(decoder)
	}
	var skipped json.RawMessage
	return decoder.Decode(&skipped)
}

func (p *payload) readAlerts(decoder *json.Decoder) error {
	if err := expect(decoder, json.Delim('[')); err != nil {
		return err
	}
	for decoder.More() {
		if len(p.alerts) == maxAlerts {
			return errTooManyAlerts
		}
		var raw json.RawMessage
		if err := decoder.Decode(&raw); err != nil {
			return err
		}
		var one alert
		strict, err := kjson.UnmarshalStrict(raw, &one, kjson.DisallowDuplicateFields)
		if err := errors.Join(append(strict, err)...); err != nil {
			return err
		}
		p.alerts = append(p.alerts, one)
	}
	return expect(decoder, json.Delim(']'))
}

func expect(decoder *json.Decoder, wanted json.Delim) error {
	token, err := decoder.Token()
	if err != nil {
		return err
	}
	if token != wanted {
		return fmt.Errorf("found %v in place of %q", shorten(fmt.Sprint(token)), wanted.String())
	}
	return nil
}
