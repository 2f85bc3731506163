#!/bin/sh
# Builds the image's programs into the folder $1. The Dockerfile and the image archive
# both call it, so both hold the same bytes: the same sources and the same compiler give
# the same programs, without paths, build ID or VCS stamp.
# TARGETOS and TARGETARCH choose the platform, VERSION is what --version prints.
set -eu
out=$1
CGO_ENABLED=0 GOFLAGS='' GOOS=${TARGETOS:-linux} GOARCH=${TARGETARCH:-} go build -trimpath -buildvcs=false \
    -ldflags "-s -w -buildid= -X isolate.example.io/cmd/internal/command.version=${VERSION:-dev}" \
    -o "$out/" ./cmd/webhook ./cmd/sweeper ./cmd/alert-receiver
# COPY keeps the modification time, and with it the layer's digest.
touch -d @0 "$out/webhook" "$out/sweeper" "$out/alert-receiver"
