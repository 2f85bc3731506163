package certs

import "errors"

// Log messages.
const (
	logLoaded  = "Loaded a new serving certificate"
	logKeeping = "Keeping the previously loaded certificate, if any"
	logOutside = "The serving certificate is not valid by this machine's clock, so API servers may reject it; check time synchronization and the certificate's issuer"
	logInside  = "The serving certificate is valid by this machine's clock again"
)

// errNotRead is the error until a certificate has been read.
var errNotRead = errors.New("serving certificate not read yet")
