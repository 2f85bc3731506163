#!/bin/sh
# Writes the image of the application that "make demo CONTEXT=..." isolates to
# dist/demo-image.tar.
set -eu
mkdir -p .build/demo dist
GOOS=linux go build -ldflags='-s -w' -o .build/demo/ ./test/cmd/workload
(cd test/cmd/images && go build -o ../../../.build/demo/images .)
.build/demo/images --name=isolate.example.io/workload:dev --output=dist/demo-image.tar .build/demo/workload
