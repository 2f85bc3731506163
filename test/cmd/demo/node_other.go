//go:build !linux

package main

import (
	"context"
	"errors"
)

func runOnNode(context.Context) (int, error) {
	return 1, errors.New("a real node needs Linux")
}
