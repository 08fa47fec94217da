#!/bin/sh
# Prints the path of a Node that can run this example: >=22.12. The system's own when it is new enough, else one
# from npm: the packages that npm's package `node` installs by a script. They are asked for by name here, since npm may
# be set to run no scripts. NODE=/path/to/node overrides the search.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)

is_good() {
    [ -n "$1" ] && "$1" -e '
        const [major, minor] = process.versions.node.split(".").map(Number);
        process.exit(major > 22 || (major === 22 && minor >= 12) ? 0 : 1);' >/dev/null 2>&1
}

say() {
    echo "find-node: $*" >&2
}

if [ -n "${NODE:-}" ]; then
    is_good "$NODE" || { say "NODE=$NODE is no Node >=22.12"; exit 1; }
    command -v "$NODE"
    exit
fi

found=
for name in node nodejs; do
    path=$(command -v "$name" || true)
    if is_good "$path"; then
        echo "$path"
        exit
    fi
    [ -z "$path" ] || found="$path is $("$path" --version 2>/dev/null || echo broken)"
done

brought() {
    for path in "$here"/tools/node_modules/node-linux-*/bin/node; do
        if is_good "$path"; then
            echo "$path"
            return
        fi
    done
    return 1
}

brought && exit

say "Node >=22.12 is needed; ${found:-there is none here}. Bringing one from npm, into $here/tools"
if ! command -v npm >/dev/null; then
    say "npm is missing too. On Debian: apt-get install npm"
    exit 1
fi
(cd "$here/tools" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error \
    --fetch-retries=2 --fetch-retry-mintimeout=1000 --fetch-retry-maxtimeout=5000) >&2 || true
# npm does not mind when an optional package cannot be had, so only looking tells.
if ! brought; then
    say "npm brought none for this machine ($(uname -sm)). Is its registry in reach? NODE=/path/to/node names a Node of yours."
    exit 1
fi
