"""The notebooks in examples/: each runs from its beginning to its end, and what comes of it is looked at in a browser with JupyterLab's style."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import browser
import pytest
from conftest import ROOT, lacking

NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))
SECONDS = 600.0


def run(*words: str | Path) -> None:
    try:
        import nbconvert  # noqa: F401
    except ImportError:
        lacking("nbconvert is missing; pip install nbconvert ipykernel")
    # A kernel of its own, and nothing of the user's settings.
    environment = os.environ | {"JUPYTER_CONFIG_DIR": "/nonexistent", "JUPYTER_NO_CONFIG": "1", "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
    ran = subprocess.run([sys.executable, "-m", "nbconvert", *words], capture_output=True, text=True, timeout=SECONDS, env=environment)
    assert ran.returncode == 0, ran.stderr[-4000:]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_kept_without_outputs(path: Path) -> None:
    """What a notebook shows is made anew by whoever runs it; differences between versions stay readable."""
    document: dict[str, Any] = json.loads(path.read_text())
    for cell in document["cells"]:
        assert not cell.get("outputs"), "strip it: jupyter nbconvert --clear-output --inplace"
        assert cell.get("execution_count") is None
    assert set(document["metadata"]) == {"kernelspec", "language_info"}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_runs_and_can_be_read(path: Path, spapr_results: Path) -> None:
    done = spapr_results / "done.ipynb"
    run("--to", "notebook", "--execute", path, "--output", done)
    cells = [cell for cell in json.loads(done.read_text())["cells"] if cell["cell_type"] == "code"]
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert all(cell["execution_count"] for cell in cells)
    assert [output for output in outputs if output["output_type"] == "error" or output.get("name") == "stderr"] == []
    cards = sum(1 for output in outputs if 'class="spapr"' in "".join(output.get("data", {}).get("text/html", "")))
    assert cards >= 3
    for theme in ("light", "dark"):
        page = spapr_results / f"{path.stem}-{theme}.raw.html"
        run("--to", "html", "--theme", theme, done, "--output", page)
        browser.check(browser.look(page.read_text(), spapr_results, f"{path.stem}-{theme}", width=1100, height=5600), cards)
