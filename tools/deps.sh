#!/bin/sh
# Installs what building and testing need: says what, then does it; does nothing when all is there.
# Usage: tools/deps.sh [GROUP]...   groups: build check test demo cover bench floods sites; none given: build test demo
#
# What is there is found by asking for the thing itself (a command, a pkg-config file, a header), not for a package,
# so that this works wherever the things come from. Only installing knows Debian.
set -eu
cd "$(dirname "$0")/.."

missing='' # Debian packages to install
wanted=''  # what they are for, for people elsewhere
npm_dirs='' # folders whose lock file is not installed

need() { # need KIND NAME PACKAGE
    case $1 in
    command) command -v "$2" >/dev/null 2>&1 && return ;;
    library) pkg-config --exists "$2" 2>/dev/null && return ;;
    file) [ -e "$2" ] && return ;;
    glob) # the first word stays the pattern when nothing matches
        # shellcheck disable=SC2086
        set -- "$1" "$2" "$3" $2
        [ -e "$4" ] && return
        ;;
    esac
    wanted="$wanted    $1 $2 (Debian: $3)
"
    case " $missing " in
    *" $3 "*) ;;
    *) missing="$missing $3" ;;
    esac
}

need_npm() { # need_npm FOLDER: its package-lock.json, installed by `npm ci`
    [ -f "$1/package-lock.json" ] || return 0
    [ -f "$1/node_modules/.package-lock.json" ] &&
        [ ! "$1/package-lock.json" -nt "$1/node_modules/.package-lock.json" ] && return
    npm_dirs="$npm_dirs $1"
}

group_build() {
    need command gcc gcc
    need file /usr/include/stdio.h libc6-dev
    need command meson meson
    need command ninja ninja-build
    need command pkg-config pkg-config
    need library libuv libuv1-dev
    need library liburing liburing-dev
    need library yaml-0.1 libyaml-dev
    need library jansson libjansson-dev
    need library libcrypto libssl-dev
    need library libssl libssl-dev
    need library libcurl libcurl4-openssl-dev
    need library libxxhash libxxhash-dev
    need library libmaxminddb libmaxminddb-dev
    need library zlib zlib1g-dev
    need library libbrotlidec libbrotli-dev
    need library libbrotlienc libbrotli-dev
    need library libzstd libzstd-dev
    need library libseccomp libseccomp-dev
    need library libnghttp2 libnghttp2-dev
}

# For the checks of the sources alone.
group_check() {
    need command node nodejs
    need command git git
    need command clang-format clang-format
}

group_test() {
    group_check
    need library cmocka libcmocka-dev
    need command varnishtest varnish
    need command clang clang
    need glob "/usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.fuzzer-*.a" libclang-rt-dev
    need command llvm-symbolizer llvm
    need file /usr/share/nodejs/llhttp node-llhttp
    need command npm npm
    need command chromium chromium
    need command curl curl
    need command openssl openssl
    need command nghttp nghttp2-client
    need command sslscan sslscan
    need command testssl testssl.sh
    need file /usr/lib/python3/dist-packages/h2/connection.py python3-h2
    need command pebble pebble
    need command certutil libnss3-tools
    need command update-ca-certificates ca-certificates
    need command php php-cli
    need file /usr/sbin/nginx nginx
    need file /usr/sbin/logrotate logrotate
    need command valgrind valgrind
    need command wrk wrk
    need library liburing liburing-dev
    need_npm tests/conformance
    need_npm tests/e2e
    need_npm integrations/node
    need_npm examples/astro-bookshelf
}

group_demo() {
    need command node nodejs
    need command npm npm
    need command curl curl
    need_npm examples/astro-bookshelf
}

group_cover() {
    need command gcovr gcovr
}

# What freshet is measured with and against.
group_bench() {
    need command node nodejs
    need command wrk wrk
    need command valgrind valgrind
    need command openssl openssl
    need command xz xz-utils
    need library liburing liburing-dev
    need file /usr/sbin/nginx nginx
    need file /usr/sbin/haproxy haproxy
    need file /usr/sbin/varnishd varnish
    need command traffic_server trafficserver
    need command h2o h2o
}

# What attacks freshet in `make slowhttptest`.
group_floods() {
    need command node nodejs
    need command slowhttptest slowhttptest
}

# The software that guides are about.
group_sites() {
    need command node nodejs
    need command npm npm
    need command php php-cli
    need file /usr/sbin/mariadbd mariadb-server-core
    need command mariadb mariadb-client
    need file /usr/share/wordpress/wp-load.php wordpress
    need file /usr/share/wordpress/wp-content/themes/twentytwentythree wordpress-theme-twentytwentythree
    need file /usr/share/mediawiki/index.php mediawiki
    need file /usr/sbin/nginx nginx
    need command chromium chromium
    need glob "/usr/lib/php/*/sqlite3.so" php-sqlite3
    need glob "/usr/lib/php/*/curl.so" php-curl
    need command ruby ruby
    need glob "/usr/share/rubygems-integration/all/specifications/actionpack-*.gemspec" ruby-actionpack
    need glob "/usr/share/rubygems-integration/all/specifications/webrick-*.gemspec" ruby-webrick
    need_npm tests/sites/astro
    need_npm tests/sites/next
    need_npm tests/sites/purge
    need_npm tests/sites/svelte
    need_npm tests/sites/nuxt
    need_npm tests/sites/nitro
    need_npm tests/sites/types
    need_npm tests/e2e
}

[ $# -gt 0 ] || set -- build test demo
for group; do
    case $group in
    build | check | test | demo | cover | bench | floods | sites) "group_$group" ;;
    *)
        echo "tools/deps.sh: no group '$group'; there are build, check, test, demo, cover, bench, floods, sites" >&2
        exit 2
        ;;
    esac
done

if [ -n "$missing" ]; then
    if ! command -v apt-get >/dev/null 2>&1; then
        printf 'These are missing, and this is no Debian or Ubuntu where we could install them:\n%s' "$wanted" >&2
        echo "Install them with your system's packages, then try again." >&2
        exit 1
    fi
    as_root=
    if [ "$(id -u)" != 0 ]; then
        as_root=sudo
        if ! command -v sudo >/dev/null 2>&1; then
            echo "Missing Debian packages:$missing" >&2
            echo "Neither root nor sudo here. As root: apt-get update && apt-get install --no-install-recommends$missing" >&2
            exit 1
        fi
    fi
    # Debian starts a service that it installs, now and at each boot. We want the programs only: while we install, a policy
    # forbids starting (where there is none yet; ours goes again), and afterwards the new services are disabled.
    services=''
    for service in nginx haproxy varnish trafficserver h2o; do
        case " $missing " in
        *" $service "*) services="$services $service" ;;
        esac
    done
    # WordPress brings Apache.
    case " $missing " in *" wordpress "*) [ -e /usr/sbin/apache2 ] || services="$services apache2" ;; esac
    case "$services" in *varnish*) services="$services varnishncsa" ;; esac
    policy=/usr/sbin/policy-rc.d
    ours=
    release_services() {
        [ -z "$ours" ] || $as_root rm -f $policy
        ours=
        for service in $services; do
            $as_root systemctl disable "$service" >/dev/null 2>&1 || true
            $as_root update-rc.d "$service" disable >/dev/null 2>&1 || true
        done
    }
    if [ -n "$services" ] && [ ! -e $policy ]; then
        ours=yes
        trap release_services EXIT
        trap 'exit 1' INT TERM HUP
        printf '#!/bin/sh\nexit 101\n' | $as_root tee $policy >/dev/null
        $as_root chmod 755 $policy
    fi

    echo "Installing Debian packages:$missing"
    install_missing() {
        # shellcheck disable=SC2086
        $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing
    }
    lists=$(find /var/lib/apt/lists -name '*Packages*' -mtime -7 2>/dev/null | head -n 1)
    # Lists that look fresh may still name versions that the mirrors have dropped: one more try after an update.
    if { [ -n "$lists" ] && install_missing; } || { $as_root apt-get update -q && install_missing; }; then
        :
    else
        echo "Could not install:$missing" >&2
        echo "Is there a network, and do the package sources work? \`apt-get update\` says more." >&2
        exit 1
    fi
    release_services
fi

for dir in $npm_dirs; do
    echo "Installing npm packages of $dir (npm ci)"
    # None of them needs its scripts. npm's own patience with a network that is not there is minutes.
    if ! (cd "$dir" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error \
        --fetch-retries=2 --fetch-retry-mintimeout=1000 --fetch-retry-maxtimeout=5000); then
        echo "npm ci failed in $dir. Is there a network? Its package-lock.json names what is needed." >&2
        exit 1
    fi
done
