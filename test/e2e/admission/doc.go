// Package admission runs the life of a quarantined pod among other people's
// admission: webhooks and policies, before and after isolate's, that change, delay
// and refuse the same writes. others_test.go lists them; each is tried alone and
// beside another.
package admission
