# Sets up everything that spapr needs to be built and run, in a private environment (.venv). Sourced, with the project's root as
# the working directory, by examples/demo.sh and tests/run.sh. Says in one sentence what is missing, if something is.

set -eu

fail() {
    echo "spapr: $*" >&2
    exit 1
}

# Debian's packages, when we may install them: as root, with apt-get there.
can_apt() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; }

apt_lists() {
    [ -n "$(find /var/lib/apt/lists -maxdepth 1 -name '*Packages*' 2>/dev/null | head -n 1)" ] || apt-get -qq update >/dev/null 2>&1 || true
}

apt_install() {
    apt_lists
    DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$@" >/dev/null 2>&1 || {
        # Lists that are too old name versions that are gone.
        apt-get -qq update >/dev/null 2>&1
        DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$@" >/dev/null
    }
}

find_python() {
    for candidate in "${PYTHON:-python3}" python3.14 python3.13 python3.12 python3.11; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    fail "Python 3.11 or later is missing: install it (on Debian: apt-get install python3 python3-venv), or name it in the variable PYTHON."
}

# A private environment, so that a system's own Python stays as it is.
make_venv() {
    [ -x .venv/bin/python ] && .venv/bin/python -c 'import pip' 2>/dev/null && return
    python=$(find_python)
    rm -rf .venv
    if "$python" -m venv .venv >/dev/null 2>&1; then return; fi
    rm -rf .venv
    if can_apt; then
        version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        apt_install "python$version-venv" || apt_install python3-venv || true
        if "$python" -m venv .venv >/dev/null; then return; fi
        rm -rf .venv
    fi
    fail "Python's module venv is missing: install it (on Debian: apt-get install python3-venv)."
}

# What the Python tests need.
PYTHON_TESTS='maturin>=1.14,<2 numpy>=1.26 pytest>=8.4 pytest-xdist>=3.6 mypy>=1.18 nbconvert>=7.16 ipykernel>=6.29 matplotlib>=3.9 pandas>=2.2 distributed>=2024.8 hypothesis>=6.130'

# pip_need MODULE... : installs requirements unless the same ones were installed before.
pip_need() {
    wanted="$*"
    [ "$(cat .venv/spapr-installed 2>/dev/null)" = "$wanted" ] && return
    .venv/bin/python -m pip install -q --disable-pip-version-check "$@" || fail "pip could not install $wanted into .venv: is there a network?"
    echo "$wanted" >.venv/spapr-installed
}

need_tools() {
    if ! command -v cargo >/dev/null 2>&1 && [ -x "$HOME/.cargo/bin/cargo" ]; then PATH="$HOME/.cargo/bin:$PATH"; fi
    command -v cargo >/dev/null 2>&1 || fail "cargo is missing: install Rust 1.88 or later (on Debian 13: apt-get install cargo; elsewhere: rustup)."
    command -v cc >/dev/null 2>&1 || fail "a C compiler is missing: install one (on Debian: apt-get install gcc libc6-dev)."
}

# build: compiles the extension module and makes `import spapr` work in .venv.
build() {
    log=$(mktemp)
    if ! (
        # maturin installs into the environment that it finds here.
        VIRTUAL_ENV="$PWD/.venv" PATH="$PWD/.venv/bin:$PATH"
        export VIRTUAL_ENV PATH
        unset CONDA_PREFIX || true
        maturin develop --release
    ) >"$log" 2>&1; then
        cat "$log" >&2
        rm -f "$log"
        fail "building failed; the compiler's words are above."
    fi
    rm -f "$log"
}
