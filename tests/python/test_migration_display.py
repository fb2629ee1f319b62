"""How a migration shows itself: the card in a browser, the plots, the line that is written while it goes."""

from __future__ import annotations

import io
import pickle
from pathlib import Path

import browser
import matplotlib as mpl
from conftest import TIMEOUT

import spapr
from spapr.pytest_plugin import PairFactory
from spapr.testing import counter


def test_a_migration_shows_itself(spapr_pair: PairFactory, spapr_results: Path) -> None:
    payload = counter(rate=4000, mib=16)
    src, dst = spapr_pair(smp=2, payload=payload)
    src.start()
    src.console.expect("^ok\n> ", timeout=TIMEOUT)
    src.console.sendline("wait 1000")
    src.console.expect("^ok\n> ", timeout=TIMEOUT)
    line = io.StringIO()
    info = src.migrate(dst, max_bandwidth="16M", timeout=TIMEOUT, on_progress=spapr.progress.bar(line))
    assert info.status == "completed"
    assert payload.check(dst)["pages"] > 0
    # The history is what was seen on the way, in its order, and is no part of what the migration came to.
    assert len(info.history) >= 2
    sent = [point.ram.transferred for point in info.history]
    assert sent == sorted(sent)
    assert pickle.loads(pickle.dumps(info)) == info
    assert all(point.history == () for point in info.history)
    said = line.getvalue()
    assert said.endswith("\n")
    assert said.count("\r") >= 2
    assert "completed, 0 MiB left" in said
    bundle = info._repr_mimebundle_()
    assert bundle["text/plain"] == str(info)
    assert "MiB to send at first" in bundle["image/svg+xml"]
    page = f'<!doctype html><body data-jp-theme-light="false" style="background:#111">{bundle["text/html"]}</body>'
    browser.check(browser.look(page, spapr_results, "migration", height=500), cards=1)
    mpl.use("Agg")
    for draw, label in ((info.plot.bandwidth, "MiB/s"), (info.plot.remaining, "MiB still to send")):
        axes = draw()
        assert axes.get_ylabel() == label
        assert draw(axes) is axes
        axes.figure.savefig(spapr_results / f"{draw.__name__}.png")
