#!/bin/bash
# All tests (make test), each part with its log in build-test/logs. A part that fails shows the end of its log; one that
# ran no test has failed. The last line, alone, is the sum: "N passed, N failed, N skipped".
# Usage: tools/test.sh [PART]...   parts: checks unit fuzz sim scenario stress conformance e2e bench; none given: all of them
set -u
cd "$(dirname "$0")/.."
export LC_ALL=C.UTF-8 TZ=UTC
ulimit -c 0

# A finding ends the program, so that the test that caused it fails. Leaks are findings.
export ASAN_OPTIONS=abort_on_error=1:detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1:history_size=4

logs=build-test/logs
mkdir -p $logs
rm -f $logs/*
total_passed=0 total_failed=0 total_skipped=0
wanted=${*:-checks unit fuzz sim scenario stress conformance e2e bench}

is_wanted() {
    case " $wanted " in *" $1 "*) return 0 ;; esac
    return 1
}

# Counts of a log: our own summary line, else that of node:test. Prints "passed failed skipped", or nothing.
counts() {
    awk '
        /^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$/ { own = $1 " " $3 " " $5 }
        /^(#|ℹ) (pass|fail|cancelled|skipped|todo) [0-9]+$/ { node[$2] = $3; any = 1 }
        END {
            if (own != "") print own
            else if (any) print node["pass"] + 0, node["fail"] + node["cancelled"], node["skipped"] + node["todo"]
        }' "$1"
}

# What tells of a failure in a log: the head of a block "--- NAME: ... failed ..." to "---", or a line of its own.
failure='^--- .*failed|^ *(FAILED|not ok|failed[: ]|✖)|UNEXPECTED|Sanitizer:'
failures() {
    awk -v failure="$failure" '/^--- .*failed/ { block = 1 }
        block || $0 ~ failure
        /^---$/ { block = 0 }' "$1"
}

# part NAME COMMAND...: runs it without standard input, adds its counts to the sum, says how long it took.
part() {
    local name=$1 log=$logs/$1.log began=$SECONDS status passed failed skipped
    shift
    "$@" >"$log" 2>&1 </dev/null
    status=$?
    read -r passed failed skipped < <(counts "$log")
    if [ $((${passed:-0} + ${failed:-0})) = 0 ]; then
        echo "$name: ran no test (status $status)"
        failed=1
    elif [ $status != 0 ] && [ "$failed" = 0 ]; then
        echo "$name: ended with status $status though no test failed"
        failed=1
    fi
    total_passed=$((total_passed + ${passed:-0}))
    total_failed=$((total_failed + failed))
    total_skipped=$((total_skipped + ${skipped:-0}))
    if [ "$failed" != 0 ]; then
        echo "--- what failed in $log"
        failures "$log" | head -n 150
        echo "--- its end"
        tail -n 60 "$log"
        echo "---"
        grep -E "$failure" "$log" | sed "s/^/$name: /" | cut -c 1-300 | head -n 6 >>$logs/failures
    fi
    echo "$name: ${passed:-0} passed, $failed failed, ${skipped:-0} skipped ($((SECONDS - began)) s)"
}

# build NAME TARGET: a build that fails counts as a failed test; what needs it will say so too.
build() {
    local began=$SECONDS
    if make --no-print-directory "$2" >"$logs/build-$1.log" 2>&1 </dev/null; then
        echo "build $1: done ($((SECONDS - began)) s)"
    else
        echo "--- the end of $logs/build-$1.log"
        grep -E 'error|warning|FAILED|ERROR' "$logs/build-$1.log" | head -n 20
        tail -n 40 "$logs/build-$1.log"
        echo "--- build $1 failed"
        total_failed=$((total_failed + 1))
    fi
}

finish() {
    if [ -s $logs/failures ]; then # last, so that the end of a log is enough to know
        echo "failed:"
        cat $logs/failures
    fi
    echo "in $((SECONDS / 60)) min $((SECONDS % 60)) s"
    echo "$total_passed passed, $total_failed failed, $total_skipped skipped"
    [ "$total_failed" = 0 ] && [ "$total_passed" -gt 0 ]
    exit
}

# Groups of scenarios by how their names begin. What a page means is decided by one thread.
by_connection="c d e f k l m n r s t u v x"
by_thread="b c d e f h2 i l m n o r s t u v w x z"

tools/deps.sh build test </dev/null || {
    total_failed=1
    finish
}

# The thread sanitizer of older compilers cannot live with the kernel's newer address layout.
plainly=
thread_probe=$logs/thread-probe
echo 'int main(void){return 0;}' | cc -fsanitize=thread -x c -o $thread_probe - 2>/dev/null
if ! ./$thread_probe 2>/dev/null && setarch -R ./$thread_probe 2>/dev/null; then plainly="setarch -R"; fi

is_wanted checks && part checks node tests/check/run.mjs
if is_wanted unit || is_wanted scenario || is_wanted stress; then
    build dev dev
    build tsan tsan
elif is_wanted conformance || is_wanted e2e; then
    build dev dev
fi
if is_wanted conformance || is_wanted e2e || is_wanted bench; then
    build release all
fi
is_wanted bench && build bench bench-programs
if is_wanted unit; then
    part unit node tools/unit.mjs
    part unit-tsan $plainly node tools/unit.mjs --build build-tsan --threads
fi
is_wanted fuzz && part fuzz tests/fuzz/run.sh --seconds 4 --seed 1
is_wanted sim && part sim make --no-print-directory sim SECONDS=60 SEED=1 WORLDS=100000
if is_wanted scenario; then
    part scenario node tests/scenario/run.mjs
    # What a page means does not depend on how bytes come; how connections live does.
    part scenario-tls env FRESHET_FRONT=tls node tests/scenario/run.mjs
    part scenario-h2 env FRESHET_FRONT=h2 node tests/scenario/run.mjs
    part scenario-epoll env FRESHET_IO=epoll node tests/scenario/run.mjs $by_connection
    part scenario-tsan $plainly node tests/scenario/run.mjs --build build-tsan $by_thread
fi
if is_wanted stress; then
    part stress tests/stress/run.sh build-dev/src/freshet
    part faults node tests/faults/faults.mjs --spread 3 build-dev/src/freshet
    part faults-upgrade node tests/faults/faults.mjs --upgrade --spread 1 --call sendmsg,recvmsg,open,flock,fdatasync,pthread_create,mem_try build-dev/src/freshet
    part stress-tsan env STRESS_SCALE=0.3 $plainly tests/stress/run.sh build-tsan/src/freshet
fi
if is_wanted conformance; then
    part conformance node tests/conformance/run.mjs
    part conformance-tls node tests/conformance/run.mjs --https --profile rfc9111
    part conformance-h2 node tests/conformance/run.mjs --http2
    part conformance-h2-origin node tests/conformance/run.mjs --origin-http2 --profile rfc9111
    part conformance-asan node tests/conformance/run.mjs --freshet build-dev/src/freshet
fi
is_wanted e2e && part e2e env FRESHET="$PWD/build-dev/src/freshet" bash tests/e2e/run.sh
if is_wanted bench; then
    part bench node tests/bench/smoke.mjs
    part floods node tests/bench/floods.mjs --connections 300 --addresses 60 --rate 200 --seconds 1 --overhead 64M \
        heads uploads drips readers idle silent ranges pipelines
    part floods-cost node tests/bench/floods.mjs --alone --connections 200 --addresses 40 --seconds 1 --overhead 64M \
        heads uploads passing aborts ranges pipelines
    part faults-malloc node tests/faults/faults.mjs --spread 10 --call malloc build/freshet
fi
finish
