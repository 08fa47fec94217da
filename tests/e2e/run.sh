#!/bin/sh
# The end-to-end tests: tests/e2e/run.sh [FILE...]. FRESHET=path names another program than build/freshet, NODE another
# Node, CHROMIUM another browser. Installs and builds what is missing first. Screenshots land in tests/e2e/out.
set -eu

cd -- "$(dirname -- "$0")"
shelf=../../examples/astro-bookshelf
FRESHET=$(realpath -m -- "${FRESHET:-../../build/freshet}")
NODE=$("$shelf/find-node.sh")
export FRESHET NODE

if [ ! -f node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
    echo "e2e: installing the tests' packages from the lock file (npm ci)"
    npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
fi
"$NODE" "$shelf/prepare.mjs"

if [ ! -x "$FRESHET" ]; then
    echo "e2e: $FRESHET is missing (run make first): every test that needs it will fail" >&2
fi
export FRESHET_RUNTIME_DIR= # these freshets are for nobody to find
[ $# -gt 0 ] || set -- ./*.test.mjs ../../integrations/*/*.test.mjs
exec "$NODE" --test --test-reporter=spec "$@"
