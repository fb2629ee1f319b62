#!/bin/sh
# Fetches Debian's kernel and initial RAM disk for ppc64el, by package name and without root, into a cache; prints their folder.
#
# SPAPR_CACHE names the cache (~/.cache/spapr). SPAPR_KERNEL and SPAPR_INITRD, read by the tests, name other files.
set -eu
package=debian-installer-12-netboot-ppc64el
cache=${SPAPR_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/spapr}
to=$cache/$package
if [ -s "$to/vmlinux" ] && [ -s "$to/initrd.gz" ]; then
    echo "$to"
    exit
fi
fail() {
    echo "spapr: $*" >&2
    exit 1
}
command -v apt-get >/dev/null 2>&1 || fail "the guest kernel is fetched with apt-get, which is missing; set SPAPR_KERNEL and SPAPR_INITRD to files of your own"
mkdir -p "$cache"
work=$(mktemp -d "$cache/.fetch.XXXXXX")
trap 'rm -rf "$work"' EXIT
fetch() { (cd "$work" && apt-get -qq -o APT::Sandbox::User="$(id -un)" download "$package" >/dev/null 2>"$work/said"); }
# Lists that are absent or too old: bring them up to date, in a place of our own if we are not root.
fetch || {
    if [ "$(id -u)" = 0 ]; then
        apt-get -qq update >/dev/null 2>&1 || true
        fetch || fail "apt-get could not download $package: $(tail -n 1 "$work/said")"
    else
        fail "apt-get could not download $package; run apt-get update as root once, or set SPAPR_KERNEL and SPAPR_INITRD"
    fi
}
dpkg-deb -x "$work"/*.deb "$work/x"
mkdir -p "$to"
for file in vmlinux initrd.gz; do
    found=$(find "$work/x" -path '*text*' -name "$file" -type f | head -n 1)
    [ -n "$found" ] || found=$(find "$work/x" -name "$file" -type f | head -n 1)
    [ -n "$found" ] || fail "$package holds no $file any more"
    mv "$found" "$to/$file.part"
    mv "$to/$file.part" "$to/$file"
done
echo "$to"
