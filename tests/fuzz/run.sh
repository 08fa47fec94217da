#!/bin/bash
# Runs fuzz targets: each replays its seed corpus, then looks for new inputs for a while.
# Usage: tests/fuzz/run.sh [--seconds N] [--seed N] [TARGET]   seconds: 60 when not given; 0: only replay.
# A seed makes a search that looks at the same inputs every time, as a test must; without one it looks at new ones.
# Without TARGET: all of them, two at once. What they find worth keeping grows in build-fuzz/corpus; an input that fails
# lies in build-fuzz/found. Last line: N passed, N failed, N skipped.
# tests/fuzz/grown has what long searches found (keep.sh puts it there): it is replayed, too, and a search without a seed
# goes on from it.
set -u
cd "$(dirname "$0")/../.."
seconds=60 seed=0
while [ $# -ge 2 ]; do
    case $1 in
        --seconds) seconds=$2 ;;
        --seed) seed=$2 ;;
        *) break ;;
    esac
    shift 2
done
only=${1:-}

if [ ! -e build-fuzz/build.ninja ]; then
    CC=clang meson setup build-fuzz -Dfuzz=true -Dbuildtype=debugoptimized -Doptimization=1 -Db_sanitize=address,undefined \
        -Db_lundef=false -Dc_args=-fno-sanitize-recover=all -Ddebug_checks=true --werror || exit 1
fi
ninja -C build-fuzz >build-fuzz/build.log 2>&1 || {
    grep -E 'error|FAILED|undefined' build-fuzz/build.log | head -40
    echo "0 passed, 1 failed, 0 skipped"
    exit 1
}
mkdir -p build-fuzz/found build-fuzz/corpus build-fuzz/logs
rm -f build-fuzz/logs/*

# One target: two tests, replay and search. Its results stand in logs/NAME.result, one line each.
fuzz() {
    name=$1
    program=build-fuzz/tests/fuzz/fuzz_$name
    seeds=tests/fuzz/corpus/$name
    log=build-fuzz/logs/$name.log
    result=build-fuzz/logs/$name.result
    : >"$result"
    common="-timeout=10 -rss_limit_mb=2048 -artifact_prefix=build-fuzz/found/$name- -print_final_stats=1 -seed=$seed"
    [ -e "tests/fuzz/$name.dict" ] && common="$common -dict=tests/fuzz/$name.dict"
    grown=build-fuzz/grown/$name
    rm -rf "$grown" && mkdir -p "$grown"
    [ ! -e "tests/fuzz/grown/$name.tar.gz" ] || tar -xzf "tests/fuzz/grown/$name.tar.gz" -C "$grown"
    if ! ls "$seeds"/* >/dev/null 2>&1; then
        echo "failed $name: no seed in $seeds" >>"$result"
    elif "$program" $common -runs=0 "$seeds" "$grown" >"$log" 2>&1; then
        echo "passed $name: $(ls "$seeds" | wc -l) seeds, $(ls "$grown" | wc -l) grown inputs" >>"$result"
    else
        echo "failed $name: its own corpus" >>"$result"
        return
    fi
    [ "$seconds" -gt 0 ] || return
    mkdir -p "build-fuzz/corpus/$name"
    [ "$seed" = 0 ] || grown=
    if "$program" $common -max_total_time="$seconds" "build-fuzz/corpus/$name" "$seeds" $grown >>"$log" 2>&1; then
        runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log" | tail -n 1)
        echo "passed $name: ${runs:-?} runs in $seconds s" >>"$result"
    else
        echo "failed $name: see $log; the input lies in build-fuzz/found" >>"$result"
    fi
}

names=
for source in tests/fuzz/*.c; do
    name=$(basename "$source" .c)
    if [ -n "$only" ] && [ "$only" != "$name" ]; then
        continue
    elif [ -x "build-fuzz/tests/fuzz/fuzz_$name" ]; then
        names="$names $name"
    elif [ -e "$source" ]; then
        echo "failed $name: no row in tests/fuzz/meson.build" >"build-fuzz/logs/$name.result"
    fi
done

for name in $names; do
    while [ "$(jobs -pr | wc -l)" -ge 2 ]; do
        wait -n
    done
    fuzz "$name" &
done
wait

passed=0 failed=0
for result in build-fuzz/logs/*.result; do
    [ -e "$result" ] || continue
    while read -r outcome text; do
        echo "$outcome $text"
        if [ "$outcome" = passed ]; then
            passed=$((passed + 1))
        else
            failed=$((failed + 1))
            tail -n 40 "${result%.result}.log" 2>/dev/null
        fi
    done <"$result"
done
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
