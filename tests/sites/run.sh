#!/bin/sh
# Guides and integrations with the software that they are about: tests/sites/run.sh [FILE...], `make sites`. A minute each, and some hundred
# megabytes to install, which is why `make test` plays them instead. FRESHET=path names another program than build/freshet.
set -eu

cd -- "$(dirname -- "$0")"
FRESHET=$(realpath -m -- "${FRESHET:-../../build/freshet}")
NODE=$(../../examples/astro-bookshelf/find-node.sh)
# What prints the links that freshet finds, from the same build.
build=$(dirname -- "$FRESHET")/..
[ ! -e "$build/build.ninja" ] || ninja -C "$build" tools/links >/dev/null
LINKS=$build/tools/links
export FRESHET NODE LINKS
[ $# -gt 0 ] || set -- ./*.test.mjs
exec "$NODE" --test --test-concurrency=1 --test-reporter=spec "$@"
