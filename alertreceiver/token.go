package alertreceiver

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
)

const (
	// minTokenLength keeps a token from being guessed: 16 random bytes have 22 characters in
	// base64 and 32 in hexadecimal.
	minTokenLength = 16

	// maxTokenFile bounds the file.
	maxTokenFile = 4 << 10

	// scheme is the type of Alertmanager's `authorization`, its default.
	scheme = "Bearer "
)

// TokenFile is a file with the tokens that requests may carry, one a line. Two are for a
// rotation. The file is read for each request, so a change needs no restart.
type TokenFile string

// Ready implements controller-runtime's healthz.Checker.
func (f TokenFile) Ready(*http.Request) error {
	_, err := f.read()
	return err
}

// read returns the hashes of the tokens.
func (f TokenFile) read() ([][sha256.Size]byte, error) {
	data, err := os.ReadFile(string(f))
	if err != nil {
		return nil, fmt.Errorf("reading the token: %w", err)
	}
	var hashes [][sha256.Size]byte
	for token := range strings.FieldsSeq(string(data[:min(len(data), maxTokenFile)])) {
		if len(token) < minTokenLength {
			return nil, errShortToken(string(f))
		}
		hashes = append(hashes, sha256.Sum256([]byte(token)))
	}
	if len(hashes) == 0 {
		return nil, errNoToken(string(f))
	}
	return hashes, nil
}

var errUnauthorized = errors.New("unauthorized")

// authorize returns an error unless the request carries one of the tokens. The comparison
// takes the same time for every token of a length.
func (f TokenFile) authorize(r *http.Request) error {
	hashes, err := f.read()
	if err != nil {
		return err
	}
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), scheme)
	if !ok {
		return errUnauthorized
	}
	given, match := sha256.Sum256([]byte(token)), 0
	for _, wanted := range hashes {
		match |= subtle.ConstantTimeCompare(given[:], wanted[:])
	}
	if match == 0 {
		return errUnauthorized
	}
	return nil
}
