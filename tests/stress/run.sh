#!/bin/bash
# The stress tests: what freshet promises when many things happen at once. Each file is one test with a freshet of its own; at its
# end everything is back where it began: gauges, memory, descriptors, and no report of a sanitizer.
# Usage: tests/stress/run.sh [FRESHET] [NAME]...     default: the build of `make dev`, all tests
#   STRESS_TLS=1    clients speak TLS; h2: HTTP/2 over it
#   STRESS_SEED=N   the dice of a run before; every test prints its own
#   STRESS_SCALE=F  so many times the rounds and requests: 0.3 for the thread sanitizer
#   STRESS_KEEP=1   the folder with the access log stays
set -u
cd "$(dirname "$0")/../.."
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1:abort_on_error=1:detect_stack_use_after_return=1}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1:halt_on_error=1}
export TSAN_OPTIONS=${TSAN_OPTIONS:-halt_on_error=1:second_deadlock_stack=1:history_size=4}
export FRESHET=${1:-build-dev/src/freshet}
[ $# = 0 ] || shift
[ -x "$FRESHET" ] || {
    echo "$FRESHET: not there; build it with: make dev"
    echo "0 passed, 1 failed, 0 skipped"
    exit 1
}
ulimit -n "$(ulimit -H -n)"
passed=0 failed=0 skipped=0
# NAME-tls, NAME-h2: the same through TLS, and by HTTP/2.
for name in $(basename -s .mjs tests/stress/*.mjs) herd-tls visitors-tls herd-h2 visitors-h2 purge_random-h2 upgrade-h2; do
    file=tests/stress/${name%-*}.mjs
    case $name in
    *-tls) export STRESS_TLS=1 ;;
    *-h2) export STRESS_TLS=h2 ;;
    *) file=tests/stress/$name.mjs ;;
    esac
    [ "$name" = lib ] && continue
    [ $# = 0 ] || [[ " $* " == *" $name "* ]] || continue
    # The same streams each time, as far as the time goes; `make differential` throws other dice.
    seed=${STRESS_SEED:-}
    [ "$name" = differential ] && [ $# = 0 ] && seed=${seed:-1}
    out=$(timeout -k 10 200 env ${seed:+"STRESS_SEED=$seed"} node "$file" 2>&1 </dev/null)
    last=$(tail -n 1 <<<"$out")
    if ! [[ $last =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed,\ ([0-9]+)\ skipped$ ]]; then
        echo "$out"
        echo "$name: did not come to its end"
        failed=$((failed + 1))
        continue
    fi
    passed=$((passed + BASH_REMATCH[1])) failed=$((failed + BASH_REMATCH[2])) skipped=$((skipped + BASH_REMATCH[3]))
    [ "${BASH_REMATCH[2]}" = 0 ] || echo "$out" | head -n 150
    echo "$name: $last, $(tail -n 2 <<<"$out" | head -n 1)"
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
