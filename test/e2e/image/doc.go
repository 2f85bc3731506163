// Package image tests what the Dockerfile does, without a builder of images: its
// command is run in copies of the build context.
package image
