#!/bin/sh
# Writes python/spapr/_spapr.pyi from the extension module itself. tests/python/test_package.py checks that they agree.
set -eu
cd "$(dirname "$0")/../.."
. tests/tools/env.sh
need_tools
make_venv
pip_need 'maturin>=1.14,<2' 'numpy>=1.26' 'pytest>=8.4' 'pytest-xdist>=3.6' 'mypy>=1.18'
to=$(mktemp -d)
trap 'rm -rf "$to"' EXIT
.venv/bin/maturin generate-stubs -q -o "$to" --features python,pyo3/experimental-inspect --profile dev -i .venv/bin/python
mv "$(find "$to" -name '*.pyi' | head -n 1)" python/spapr/_spapr.pyi
chmod 644 python/spapr/_spapr.pyi
