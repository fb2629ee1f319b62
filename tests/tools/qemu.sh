#!/bin/sh
# Finds a QEMU to compare with, version 10 or later, and prints its path: `qemu.sh user` (qemu-ppc64le) or `qemu.sh system` (qemu-system-ppc64).
#
# The one installed is taken if it is new enough. Else it is Debian's package, by name, from the backports of the release that this machine runs (or the release
# itself): the user-mode emulator is one static program and goes into the cache, without root; the system emulator has libraries and is
# installed, which takes root.
set -eu
cache=${SPAPR_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/spapr}
fail() {
    echo "spapr: $*" >&2
    exit 1
}
case "${1:-}" in
user) program=qemu-ppc64le other=qemu-ppc64le-static package=qemu-user variable=SPAPR_DIFF_QEMU ;;
system) program=qemu-system-ppc64 other=$program package=qemu-system-ppc variable=SPAPR_QEMU_SYSTEM ;;
*) fail "qemu.sh: say user or system" ;;
esac

new_enough() { [ "$("$1" --version 2>/dev/null | sed -n 's/.*version \([0-9]*\)\..*/\1/p' | head -n 1)" -ge 10 ] 2>/dev/null; }
find_it() {
    for name in "$program" "$other" "$cache/qemu/$program"; do
        if found=$(command -v "$name") && new_enough "$found"; then
            echo "$found"
            return
        fi
    done
    return 1
}
find_it && exit
command -v apt-get >/dev/null 2>&1 || fail "$program 10 or later is missing: install it, or name it in $variable"
[ "$1" = user ] || [ "$(id -u)" = 0 ] || fail "$program 10 or later is missing: install Debian's package $package, or name the program in $variable"

# The system's own sources, with the release's backports beside it, in lists of our own.
mkdir -p "$cache"
work=$(mktemp -d "$cache/.fetch.XXXXXX")
trap 'rm -rf "$work"' EXIT
codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
. "$(dirname "$0")/apt-sources.sh"
own_sources "$work" "$codename" "$codename-backports"
apt() {
    DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dir::Etc::SourceList="$work/sources.list" -o Dir::Etc::SourceParts="$work/sources.list.d" \
        -o Dir::State::Lists="$work/lists" -o Dir::Cache::Archives="$work/archives" -o APT::Sandbox::User="$(id -un)" "$@"
}
apt update >/dev/null 2>"$work/said" || fail "apt-get could not read Debian's package lists: $(tail -n 1 "$work/said")"
if [ "$1" = system ]; then
    { apt -t "$codename-backports" install -y --no-install-recommends "$package" || apt install -y --no-install-recommends "$package"; } >/dev/null 2>"$work/said" ||
        fail "apt-get could not install $package: $(tail -n 1 "$work/said")"
else
    (cd "$work" && { apt -t "$codename-backports" download "$package" || apt download "$package"; } >/dev/null 2>"$work/said") ||
        fail "apt-get could not download $package: $(tail -n 1 "$work/said")"
    dpkg-deb -x "$work/$package"_*.deb "$work/x"
    mkdir -p "$cache/qemu"
    mv "$work/x/usr/bin/$program" "$cache/qemu/$program.part"
    mv "$cache/qemu/$program.part" "$cache/qemu/$program"
fi
hash -r
find_it || fail "Debian's $package here is older than 10: name a newer $program in $variable"
