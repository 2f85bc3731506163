// Package falcotalon sends the requests of Falco Talon, of its actionner
// kubernetes:annotation from v0.2.0 to v0.3.0, with the rules and the role of
// manifests/examples/falco-talon. It does not run Falco Talon itself.
package falcotalon
