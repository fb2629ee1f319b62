#!/bin/sh
# Fetches Debian's stress-ng for ppc64el with the libraries it needs, by package name and without root, into a cache; prints the folder, a root of programs for a guest.
#
# apt-get resolves for a system of that architecture with nothing installed, from the sources that this system has. SPAPR_CACHE names the cache (~/.cache/spapr).
set -eu
package=stress-ng
cache=${SPAPR_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/spapr}
to=$cache/$package-ppc64el
if [ -x "$to/usr/bin/stress-ng" ]; then
    echo "$to"
    exit
fi
fail() {
    echo "spapr: $*" >&2
    exit 1
}
command -v apt-get >/dev/null 2>&1 || fail "stress-ng for the guest is fetched with apt-get, which is missing"
mkdir -p "$cache"
work=$(mktemp -d "$cache/.fetch.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/archives/partial"
touch "$work/status"
apt() {
    apt-get -qq -o APT::Architecture=ppc64el -o Dir::State::Lists="$work/lists" -o Dir::State::status="$work/status" -o Dir::Cache::Archives="$work/archives" \
        -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= -o APT::Sandbox::User="$(id -un)" "$@"
}
# A part of the lists that cannot be had (a mirror in the middle of an update) need not matter.
apt update >"$work/said" 2>&1 || true
apt --no-install-recommends --download-only -y install "$package" >>"$work/said" 2>&1 ||
    fail "apt-get could not download $package for ppc64el: $(tail -n 1 "$work/said")"
for deb in "$work"/archives/*.deb; do dpkg-deb -x "$deb" "$work/root"; done
rm -rf "$work/root/usr/share" "$work/root/etc" "$work/root/var"
[ -x "$work/root/usr/bin/stress-ng" ] || fail "$package holds no program any more"
mv "$work/root" "$to"
echo "$to"
