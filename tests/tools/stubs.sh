#!/bin/sh
# Writes python/spapr/_spapr.pyi from the extension module itself. tests/python/test_package.py checks that they agree.
set -eu
cd "$(dirname "$0")/../.."
. tests/tools/env.sh
need_tools
make_venv
# shellcheck disable=SC2086
pip_need $PYTHON_TESTS
to=$(mktemp -d)
trap 'rm -rf "$to"' EXIT
.venv/bin/maturin generate-stubs -q -o "$to" --features python,pyo3/experimental-inspect --profile dev -i .venv/bin/python
mv "$(find "$to" -name '*.pyi' | head -n 1)" python/spapr/_spapr.pyi
chmod 644 python/spapr/_spapr.pyi
