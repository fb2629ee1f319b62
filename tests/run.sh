#!/bin/sh
# Builds spapr and passes all its tests: `sh tests/run.sh`. Sets up everything it needs in .venv.
#
# What a test needs beyond that (a real guest kernel, QEMU and cross tools to compare with) is installed where we may: as root on Debian.
# Elsewhere such a test is skipped and says what it needs; with CI=true nothing may be skipped for that reason.
cd "$(dirname "$0")/.."
. tests/tools/env.sh
need_tools
make_venv
# shellcheck disable=SC2086
pip_need $PYTHON_TESTS

missing=""
for need in powerpc64le-linux-gnu-gcc:gcc-powerpc64le-linux-gnu \
    powerpc64le-linux-gnu-as:binutils-powerpc64le-linux-gnu dtc:device-tree-compiler chromium:chromium; do
    command -v "${need%%:*}" >/dev/null 2>&1 || missing="$missing ${need#*:}"
done
[ -e /usr/powerpc64le-linux-gnu/lib/libc.a ] || missing="$missing libc6-dev-ppc64el-cross"
if [ -n "$missing" ] && can_apt; then
    echo "Installing what the comparisons need:$missing ..." >&2
    # shellcheck disable=SC2086
    apt_install $missing || echo "spapr: could not install$missing; the tests that compare with them say so." >&2
fi
if [ -z "${SPAPR_DIFF_QEMU:-}" ]; then
    SPAPR_DIFF_QEMU=$(tests/tools/qemu.sh user) || SPAPR_DIFF_QEMU=qemu-ppc64le-static
    export SPAPR_DIFF_QEMU
fi
if [ -z "${SPAPR_QEMU_SYSTEM:-}" ]; then
    if SPAPR_QEMU_SYSTEM=$(tests/tools/qemu.sh system); then export SPAPR_QEMU_SYSTEM; else unset SPAPR_QEMU_SYSTEM; fi
fi
tests/tools/guest-kernel.sh >/dev/null || echo "spapr: no Debian guest kernel; the tests that boot it say so." >&2

# After the tests' own arguments, if any: only pytest, for a quick second look.
if [ $# -eq 0 ]; then
    echo "Testing the engine ..." >&2
    cargo test --quiet --profile checked
fi
echo "Building the extension module ..." >&2
build
echo "Testing through Python ..." >&2
exec .venv/bin/python -m pytest -q -n 2 --dist worksteal "$@"
