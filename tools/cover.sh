#!/bin/bash
# Which lines the unit tests and the scenarios reach: build-cover/index.html, and a summary.
set -eu
cd "$(dirname "$0")/.."
[ -e build-cover/build.ninja ] ||
    meson setup build-cover -Dbuildtype=debug -Db_coverage=true -Dtests=true -Dcontrol=true -Ddebug_checks=true
ninja -C build-cover
find build-cover -name '*.gcda' -delete
# A failing test still covers lines: the report comes in any case.
node tools/unit.mjs --build build-cover | tail -n 1 || true
node tests/scenario/run.mjs --build build-cover | tail -n 1 || true
gcovr --root . --filter src/ --print-summary --html-details build-cover/index.html build-cover | tail -n 4
