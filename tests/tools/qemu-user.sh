#!/bin/sh
# Finds QEMU's user-mode emulator for ppc64le, version 10 or later, and prints its path: the one installed, or Debian's package, fetched by
# name and without root into the cache (from the backports of the release that this machine runs, if the release itself has an older one).
set -eu
cache=${SPAPR_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/spapr}
fail() {
    echo "spapr: $*" >&2
    exit 1
}
new_enough() { [ "$("$1" --version 2>/dev/null | sed -n 's/.*version \([0-9]*\)\..*/\1/p' | head -n 1)" -ge 10 ] 2>/dev/null; }
for name in qemu-ppc64le-static qemu-ppc64le "$cache/qemu-user/qemu-ppc64le"; do
    if found=$(command -v "$name") && new_enough "$found"; then
        echo "$found"
        exit
    fi
done
command -v apt-get >/dev/null 2>&1 || fail "qemu-ppc64le 10 or later is missing: install it, or name it in SPAPR_DIFF_QEMU"
mkdir -p "$cache"
work=$(mktemp -d "$cache/.fetch.XXXXXX")
trap 'rm -rf "$work"' EXIT
# The system's own sources, with the suite's backports beside it, in lists of our own.
codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
mkdir -p "$work/sources.list.d" "$work/lists/partial" "$work/archives/partial"
for file in /etc/apt/sources.list.d/*.sources; do
    [ -f "$file" ] || continue
    # The first stanza is the release's; security updates, in a later one, have no backports.
    awk 'BEGIN { RS = "" } NR == 1' "$file" | sed "s/^Suites:.*/Suites: $codename $codename-backports/" >"$work/sources.list.d/$(basename "$file")"
    break
done
if [ -s /etc/apt/sources.list ]; then
    grep -E "^deb .* $codename " /etc/apt/sources.list | head -n 1 >"$work/sources.list" || true
    sed -n "s/ $codename / $codename-backports /p" "$work/sources.list" >"$work/backports" && cat "$work/backports" >>"$work/sources.list"
fi
touch "$work/sources.list"
apt() {
    apt-get -qq -o Dir::Etc::SourceList="$work/sources.list" -o Dir::Etc::SourceParts="$work/sources.list.d" -o Dir::State::Lists="$work/lists" \
        -o Dir::Cache::Archives="$work/archives" -o APT::Sandbox::User="$(id -un)" "$@"
}
apt update >/dev/null 2>"$work/said" || fail "apt-get could not read Debian's package lists: $(tail -n 1 "$work/said")"
(cd "$work" && { apt -t "$codename-backports" download qemu-user || apt download qemu-user; } >/dev/null 2>"$work/said") ||
    fail "apt-get could not download qemu-user: $(tail -n 1 "$work/said")"
dpkg-deb -x "$work"/qemu-user_*.deb "$work/x"
mkdir -p "$cache/qemu-user"
mv "$work/x/usr/bin/qemu-ppc64le" "$cache/qemu-user/qemu-ppc64le.part"
mv "$cache/qemu-user/qemu-ppc64le.part" "$cache/qemu-user/qemu-ppc64le"
new_enough "$cache/qemu-user/qemu-ppc64le" || fail "Debian's qemu-user here is older than 10; name a newer qemu-ppc64le in SPAPR_DIFF_QEMU"
echo "$cache/qemu-user/qemu-ppc64le"
