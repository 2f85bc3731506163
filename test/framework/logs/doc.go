// Package logs captures what the code under test logs.
package logs
