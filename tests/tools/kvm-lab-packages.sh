#!/bin/sh
# Fetches what an emulated POWER host is made of from Debian 12, by package name and without root, into a cache; prints the folder.
#
#   kernel-64k/, kernel-4k/   vmlinux, kvm.ko, kvm-hv.ko: Debian's kernel, and the one of backports with 4 KiB pages (asked for with `4k` as argument)
#   root/                     a ppc64el Python with NumPy and what they need, and a static busybox
#
# SPAPR_CACHE names the cache (~/.cache/spapr). What is there is not fetched again; delete the folder to follow Debian's updates.
set -eu
cache=${SPAPR_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/spapr}/kvm-lab
pages=${1:-64k}
fail() {
    echo "spapr: $*" >&2
    exit 1
}
case "$pages" in
64k) suite=bookworm ;;
4k) suite=bookworm-backports ;;
*) fail "kvm-lab-packages.sh: say 64k or 4k" ;;
esac
root_packages="busybox-static python3.11-minimal libpython3.11-minimal libpython3.11-stdlib python3-numpy libc6 libgcc-s1 libstdc++6 libcrypt1 libexpat1 libffi8
    libbz2-1.0 liblzma5 zlib1g libuuid1 libssl3 libblas3 liblapack3 libgfortran5"
mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9
if [ -s "$cache/kernel-$pages/vmlinux" ] && [ -d "$cache/root" ]; then
    echo "$cache"
    exit
fi
command -v apt-get >/dev/null 2>&1 || fail "the POWER host for the KVM tests is made of Debian packages, fetched with apt-get, which is missing"
work=$(mktemp -d "$cache/.fetch.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/debs"
touch "$work/status"
. "$(dirname "$0")/apt-sources.sh"
own_sources "$work" bookworm bookworm-backports
cat >"$work/apt.conf" <<END
Dir::Etc::SourceList "$work/sources.list";
Dir::Etc::SourceParts "$work/sources.list.d";
Dir::State::Lists "$work/lists";
Dir::State::status "$work/status";
Dir::Cache "$work";
APT::Architecture "ppc64el";
APT::Architectures { "ppc64el"; };
APT::Sandbox::User "$(id -un)";
Acquire::Languages "none";
END
export APT_CONFIG="$work/apt.conf"
apt-get -qq update >/dev/null 2>"$work/said" || fail "apt-get could not read Debian's package lists: $(tail -n 1 "$work/said")"
# download SUITE PACKAGE...
download() {
    from=$1
    shift
    (cd "$work/debs" && apt-get -qq -t "$from" download "$@" >/dev/null 2>"$work/said") || fail "apt-get could not download $*: $(tail -n 1 "$work/said")"
}

if [ ! -s "$cache/kernel-$pages/vmlinux" ]; then
    meta=linux-image-powerpc64le
    version=$(apt-cache -t "$suite" policy $meta | sed -n 's/^ *Candidate: //p')
    image=$(apt-cache show "$meta=$version" | sed -n 's/^Depends: \(linux-image-[^ ,]*\).*/\1/p' | head -n 1)
    [ -n "$image" ] || fail "Debian's $meta names no kernel any more"
    download "$suite" "$image"
    dpkg-deb -x "$work/debs/$image"_*.deb "$work/kernel"
    mkdir -p "$work/ready"
    mv "$work/kernel/boot"/vmlinu[xz]-* "$work/ready/vmlinux"
    for module in kvm kvm-hv; do
        found=$(find "$work/kernel" -name "$module.ko" -o -name "$module.ko.xz" | head -n 1)
        [ -n "$found" ] || fail "$image has no module $module"
        cp "$found" "$work/ready/"
    done
    for module in "$work/ready"/*.xz; do [ ! -e "$module" ] || xz -d "$module"; done
    echo "$image $version" >"$work/ready/package"
    rm -rf "$cache/kernel-$pages"
    mv "$work/ready" "$cache/kernel-$pages"
fi

if [ ! -d "$cache/root" ]; then
    # shellcheck disable=SC2086
    download bookworm $root_packages
    for p in $root_packages; do dpkg-deb -x "$work/debs/$p"_*.deb "$work/root"; done
    cd "$work/root"
    # The loader's link is absolute.
    rm -f lib64/ld64.so.2
    ln -s ../lib/powerpc64le-linux-gnu/ld64.so.2 lib64/ld64.so.2
    cp -P usr/lib/powerpc64le-linux-gnu/blas/lib*.so* usr/lib/powerpc64le-linux-gnu/lapack/lib*.so* usr/lib/powerpc64le-linux-gnu/ 2>/dev/null || true
    rm -rf usr/share etc/cron* usr/lib/python3/dist-packages/numpy/*/tests usr/lib/python3/dist-packages/numpy/f2py usr/lib/powerpc64le-linux-gnu/gconv \
        usr/lib/python3.11/test usr/lib/python3.11/idlelib usr/lib/python3.11/lib2to3 usr/lib/python3.11/ensurepip
    find . -name '*.a' -o -name '*.pyc' | xargs rm -f
    mv "$work/root" "$cache/root"
fi
echo "$cache"
