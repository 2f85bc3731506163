// Package tools has a suite for each kind of tool that isolates pods: it runs the real
// tool, or sends the requests that the tool sends, with the shipped examples.
package tools
