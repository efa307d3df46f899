#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The one place that knows which packages are needed.
#   sh test/deps.sh [-l] GROUP ...     GROUP: build, run, test, bench
# Installs what is missing, as root; says what, and nothing if all is there. With -l it lists the
# packages instead. Debian 12 names, or Fedora's where there is dnf and no apt-get.
set -eu

# One line a package: groups, Debian name, Fedora name; - where a system has it anyway. NAME:FILE is
# a package that excludes another one: FILE of it alone, in /usr/local/sbin.
table='
build           gcc                       gcc
build           make                      make
build           libc6-dev                 glibc-devel
build           pkgconf                   pkgconf-pkg-config
build           libsqlite3-dev            sqlite-devel
build           libjq-dev                 jq-devel
build           libonig-dev               oniguruma-devel
build           libmd-dev                 libmd-devel
build           libyaml-dev               libyaml-devel
build           libcurl4-openssl-dev      libcurl-devel
build           libssl-dev                openssl-devel
build           libevent-dev              libevent-devel
build           libpq-dev                 libpq-devel
build           libcjose-dev              cjose-devel
build           libseccomp-dev            libseccomp-devel
build           -                         gawk
run,test        systemd                   systemd
run,test        jq                        jq
run,test,bench  curl                      curl
test,bench      openssl                   openssl
test,bench      util-linux                util-linux
test,bench      procps                    procps-ng
test            -                         libasan
test            -                         libubsan
test            bats                      bats
test            binutils                  binutils
test            sqlite3                   sqlite
test,bench      lighttpd                  lighttpd
test,bench      lighttpd-mod-openssl      lighttpd-mod_openssl
test            busybox-static            busybox
test            podman                    podman
test            podman-compose            podman-compose
test            crun                      crun
test            netavark                  netavark
test            aardvark-dns              aardvark-dns
test            slirp4netns               slirp4netns
test            uidmap                    shadow-utils
test            openbsd-inetd             -
test            xinetd:/usr/sbin/xinetd   xinetd
test            apache2                   httpd
test,bench      nginx                     nginx
test            openssh-server            openssh-server
test            openssh-client            openssh-clients
test            systemd-container         systemd-container
test            postgresql                postgresql-server
test            pgbouncer                 pgbouncer
test            strace                    strace
test            faketime                  libfaketime
test            iproute2                  iproute
test            diffutils                 diffutils
test            mandoc                    mandoc
test            zsh                       zsh
test            fish                      fish
test            bash-completion           bash-completion
test            shellcheck                ShellCheck
test            clang                     clang
test            libclang-rt-14-dev        compiler-rt
test            git                       git-core
test            python3-yaml              python3-pyyaml
test            nodejs                    nodejs
test            npm                       npm
'

list=
case ${1:-} in -l) list=1; shift ;; esac
[ $# -gt 0 ] || { sed -n '3,6s/^# \{0,1\}//p' "$0" >&2; exit 2; }
if command -v apt-get >/dev/null; then column=2
elif command -v dnf >/dev/null; then column=3
else echo "deps.sh: neither apt-get nor dnf here; it needs: $(sh "$0" -l "$@")" >&2; exit 1
fi

wanted=
for group; do
    case $group in build | run | test | bench) ;;
    *) echo "deps.sh: $group: no such group" >&2; exit 2 ;;
    esac
    wanted="$wanted $(printf '%s' "$table" | awk -v g="$group" -v c="$column" \
        'index("," $1 ",", "," g ",") && $c != "-" { print $c }')"
done
wanted=$(printf '%s\n' $wanted | sort -u)
[ -z "$list" ] || { printf '%s\n' $wanted | sed 's/:.*//'; exit 0; }

has() {
    case $1 in *:*) [ -e "/usr/local/sbin/${1##*/}" ] || [ -e "${1#*:}" ]; return ;; esac
    if [ "$1" = npm ]; then # comes with nodejs where that is not the distribution's
        command -v npm >/dev/null
    elif [ $column = 2 ]; then
        [ "$(dpkg-query -W -f '${Status}' "$1" 2>/dev/null)" = "install ok installed" ]
    else
        rpm -q --quiet --whatprovides "$1"
    fi
}
missing='' files=''
for p in $wanted; do
    has "$p" || case $p in *:*) files="$files $p" ;; *) missing="$missing $p" ;; esac
done

# Servers of the tests that are npm packages, as test/npm/package-lock.json names them.
npm_packages() {
    case $wanted in *npm*) ;; *) return 0 ;; esac
    (
        cd "$(dirname "$0")/npm"
        cmp -s package-lock.json node_modules/.installed && exit
        echo "installing: packages of test/npm"
        npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2 &&
            cp package-lock.json node_modules/.installed
    )
}
[ -n "$missing$files" ] || { npm_packages; exit; }

if [ $column = 2 ]; then line="apt-get install -y --no-install-recommends$missing"
else line="dnf install -y --setopt=install_weak_deps=False$missing"
fi
if [ "$(id -u)" != 0 ]; then
    echo "deps.sh: packages are missing; as root: ${missing:+$line}${files:+ (and$files)}" >&2
    exit 1
fi
echo "installing:$missing$files"
log=$(mktemp)
policy=/usr/sbin/policy-rc.d
# The tests start servers of their own, on ports of their own: keep a package's from starting.
if [ $column = 2 ] && [ ! -e $policy ]; then
    trap 'rm -f "$log" $policy' EXIT
    printf '#!/bin/sh\nexit 101\n' >$policy
    chmod 755 $policy
else
    trap 'rm -f "$log"' EXIT
fi
trap 'exit 1' HUP INT TERM
export DEBIAN_FRONTEND=noninteractive
install() {
    [ -z "$missing" ] || $line >"$log" 2>&1 </dev/null || return
    for p in $files; do unpack "${p%%:*}" "${p#*:}" >>"$log" 2>&1 </dev/null || return; done
}
unpack() {
    dir=$(mktemp -d) && chmod 755 "$dir" && (cd "$dir" && apt-get download "$1" && dpkg -x ./*.deb . &&
        command install -D -m 755 ".$2" "/usr/local/sbin/${2##*/}") && rm -rf "$dir"
}
if ! install; then
    # The lists may be missing or old.
    { [ $column = 2 ] && apt-get update -qq >>"$log" 2>&1 && install; } || {
        tail -n 20 "$log" >&2
        echo "deps.sh: failed: $line" >&2
        exit 1
    }
fi
# Nor shall those that came in now start with the machine.
for unit in lighttpd nginx inetd xinetd apache2 ssh postgresql pgbouncer; do
    case $missing in
    *" $unit"* | *" openbsd-$unit"* | *" open$unit-server"*)
        systemctl --quiet disable $unit >/dev/null 2>&1 || : ;;
    esac
done
npm_packages
