// Package audit has an API server note its requests, and reads what it noted: what
// programs really asked for is known to it alone.
package audit
