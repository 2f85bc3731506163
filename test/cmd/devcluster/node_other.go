//go:build !linux

package main

import "context"

// Only Linux can run a real node.
func nodeKinds() []kind { return nil }

func addNodeCommands(map[string]func(context.Context) error) {}
