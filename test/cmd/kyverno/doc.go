// Package kyverno has no code. Its go.mod names Kyverno's admission and background
// controllers as tools, and the suite test/tools/kyverno builds them from there. Kyverno's
// dependencies are many, so it is a module of its own and is built for that suite alone.
package kyverno
