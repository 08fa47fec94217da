#!/bin/bash
# Keeps what searches have found: the smallest inputs of build-fuzz/corpus and tests/fuzz/grown that together reach as
# much as all of them, in tests/fuzz/grown/TARGET.tar.gz.
# Usage: tests/fuzz/keep.sh [TARGET]...     after a long search (make fuzz SECONDS=600); without TARGET: all
set -eu
cd "$(dirname "$0")/../.."
mkdir -p tests/fuzz/grown
kept=$(mktemp -d)
trap 'rm -rf "$kept"' EXIT
[ $# -gt 0 ] || set -- $(ls tests/fuzz/corpus)
for name; do
    rm -rf "$kept/new" "$kept/old" && mkdir -p "$kept/new" "$kept/old" "build-fuzz/corpus/$name"
    archive=tests/fuzz/grown/$name.tar.gz
    [ ! -e "$archive" ] || tar -xzf "$archive" -C "$kept/old"
    "build-fuzz/tests/fuzz/fuzz_$name" -timeout=30 -merge=1 "$kept/new" "tests/fuzz/corpus/$name" "$kept/old" \
        "build-fuzz/corpus/$name" >"$kept/log" 2>&1 || { tail -n 20 "$kept/log"; exit 1; }
    # The seeds themselves are kept beside it. Names are hashes, times and owners say nothing: the same inputs make the same archive.
    for seed in "tests/fuzz/corpus/$name"/*; do
        rm -f "$kept/new/$(sha1sum "$seed" | cut -d' ' -f1)"
    done
    tar -C "$kept/new" --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -cf - . | gzip -n9 >"$archive"
    echo "$name: $(ls "$kept/new" | wc -l) inputs, $(stat -c %s "$archive") bytes"
done
