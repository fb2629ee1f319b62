#!/bin/sh
# Builds spapr and runs its demonstration: `sh examples/demo.sh`. Sets up everything it needs in .venv.
cd "$(dirname "$0")/.."
. tests/tools/env.sh
need_tools
make_venv
pip_need 'maturin>=1.14,<2' 'numpy>=1.26'
echo "Building (a few minutes the first time) ..." >&2
build
exec .venv/bin/python -m spapr demo "$@"
