// Package load keeps isolate's webhook busy with concurrent writers and counts the
// admissions that are lost.
package load
