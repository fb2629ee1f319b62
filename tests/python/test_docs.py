"""What the documents show: every example in Python is run, or at least type-checked, as it stands there."""

from __future__ import annotations

import doctest
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT

import spapr

assert np, "it can be imported once in a process, and pytester forgets what its inner runs have imported"

DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(path: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", path.read_text(), re.DOTALL | re.MULTILINE)


class Checker(doctest.OutputChecker):
    """Compares what a session prints, except for where a vCPU happens to be when it is paused."""

    def check_output(self, want: str, got: str, optionflags: int) -> bool:
        want, got = (re.sub(r"(vcpu_id=\d+) .*>", r"\1 somewhere>", text) for text in (want, got))
        return super().check_output(want, got, optionflags)


def test_sessions_of_the_documents(monkeypatch: pytest.MonkeyPatch) -> None:
    """`pycon` blocks, with what they print."""
    monkeypatch.chdir(ROOT)
    runner = doctest.DocTestRunner(Checker(), optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    found = 0
    for path in DOCUMENTS:
        for n, text in enumerate(blocks(path, "pycon")):
            said: list[str] = []
            test = doctest.DocTestParser().get_doctest(text, {"spapr": spapr}, f"{path.name}, session {n}", str(path), 0)
            runner.run(test, out=said.append)
            assert not said, "".join(said)
            found += len(test.examples)
    assert found >= 6


def test_pytest_md(pytester: pytest.Pytester) -> None:
    texts = blocks(ROOT / "docs" / "pytest.md", "python")
    for n, text in enumerate(texts):
        (pytester.path / f"test_{n}.py").write_text(text)
    outcome = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    results = outcome.parseoutcomes()
    assert set(results) <= {"passed", "warnings"}, outcome.stdout.str()
    assert results["passed"] >= len(texts)


def test_jupyter_md() -> None:
    for text in blocks(ROOT / "docs" / "jupyter.md", "python"):
        exec(compile(text, "jupyter.md", "exec"), {})


def test_examples_have_the_right_types(tmp_path: Path) -> None:
    """Those that need a kernel or a host that is not here are not run; names and types must be right nevertheless."""
    files = []
    for path in DOCUMENTS:
        for n, text in enumerate(blocks(path, "python")):
            if "import " not in text:
                continue  # a piece of something, not an example by itself
            file = tmp_path / f"{path.stem.replace('-', '_').lower()}_{n}.py"
            file.write_text(text)
            files.append(file)
    assert len(files) >= 5
    # Not strict: examples say no more than they must.
    options = ["--config-file=", "--check-untyped-defs", "--scripts-are-modules", f"--cache-dir={ROOT / '.mypy_cache' / 'documents'}"]
    check = subprocess.run([sys.executable, "-m", "mypy", *options, *files], capture_output=True, text=True, cwd=ROOT / "python")
    assert check.returncode == 0, check.stdout


def test_links_lead_somewhere() -> None:
    wrong = []
    for path in DOCUMENTS:
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", path.read_text()):
            if not (path.parent / target).exists():
                wrong.append(f"{path.name}: {target}")
    assert wrong == []


def test_the_package_tells_what_the_documents_name() -> None:
    """What is called in inline code (`spapr.explain(…)`) exists, and so do classes and constants. (`spapr.vm` may be a logger.)"""
    wrong = []
    for path in DOCUMENTS:
        for name in re.findall(r"`spapr\.([A-Z]\w*|[A-Za-z_][\w.]*(?=\())", path.read_text()):
            at: object = spapr
            for part in name.rstrip(".").split("."):
                try:
                    at = getattr(at, part)
                except AttributeError:
                    try:
                        at = __import__(f"spapr.{name}", fromlist=["*"])
                        break
                    except ImportError:
                        wrong.append(f"{path.name}: spapr.{name}")
                        break
    assert wrong == []
