// Package admission tests the life of a quarantined pod together with other admission
// webhooks and policies, before and after isolate's, that change, delay and refuse the
// same writes. thirdparties_test.go lists them. Each is tested alone and with another one.
package admission
