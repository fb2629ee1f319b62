"""How spapr's objects look in a notebook: their bundles, and the page in a real browser, light and dark, wide and narrow."""

from __future__ import annotations

import pickle
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import browser
import pytest
from conftest import TIMEOUT

import spapr
import spapr.devicetree
from spapr import MachineConfig
from spapr.jupyter import chart, heatmap
from spapr.jupyter.chart import Line, Panel
from spapr.jupyter.page import card
from spapr.matrix.results import Results, Row
from spapr.pytest_plugin import MachineFactory

EVIL = '<script>alert(1)</script>&"<b>'


def bundle(it: Any) -> dict[str, str]:
    """What a notebook gets, checked for what holds for all."""
    made: dict[str, str] = it._repr_mimebundle_()
    assert made["text/plain"]
    assert made["text/html"].count('class="spapr"') == 1
    assert "http" not in made["text/html"].replace("http://www.w3.org/2000/svg", "")
    ElementTree.fromstring(f"<html>{made['text/html'].replace('&ensp;', ' ').replace('scope=col', '')}</html>")
    if "image/svg+xml" in made:
        ElementTree.fromstring(made["image/svg+xml"])
    return made


def shown(vm: spapr.Machine) -> list[Any]:
    """Everything that has a display, in many states."""
    config = MachineConfig(smp="16,sockets=2,cores=4,threads=2,maxcpus=16", memory="2G", numa=2, caps={"htm": "off"})
    rule: dict[str, Any] = {"ruleset": "qemu-2.11", "machine": "pseries-2.11", "threads": 4}
    things: list[Any] = [vm, vm.cpus[0], vm.console, vm.disassemble(vm.cpus[0].nip), vm.device_tree, config]
    things += [MachineConfig(smp="4,cores=4,threads=2,maxcpus=8", vsmt=4), MachineConfig(vsmt=3), MachineConfig(name=EVIL, append=EVIL)]
    things += [spapr.explain(host="kvm-hv/power9", **rule), spapr.explain(host="kvm-hv/power9", vsmt=2, **rule), spapr.explain(host="kvm-hv/power8", **rule)]
    hosts = ["kvm-hv/power8", "kvm-hv/power9", "tcg"]
    matrix = spapr.Matrix(ruleset=["qemu-2.11", "qemu-4.2"], source_host=hosts, dest_host="same-axis", machine="pseries-2.11", threads=[1, 4], vsmt=[None, 8])
    verdicts = matrix.check()
    old = MachineConfig(ruleset="qemu-2.11", machine="pseries-2.11", smp="8,cores=2,threads=4", caps={"htm": "off"})
    things += [spapr.check(old.replace(host="kvm-hv/power8"), old.replace(host="kvm-hv/power9", cpu="power9")), spapr.check(old, old)]
    things += [spapr.HOSTS, matrix, verdicts, verdicts.pivot(rows=["source_host", "dest_host"], cols=["threads", "vsmt"])]
    row: dict[str, Any] = {"key": "k", "values": {}, "predicted_reasons": [], "reasons": [], "downtime": None, "total_time": None, "seconds": 0.1, "host": "here", "consoles": {}}
    made = [Row(cell=n, predicted="migrates", verdict=verdict, problem="gone", **row) for n, verdict in enumerate(("migrates", "failed", "refused"))]
    things += [Results(made, seconds=1.0), Results(made[:1])]
    return things


@pytest.fixture
def looked_at(spapr_machine: MachineFactory) -> spapr.Machine:
    """A machine that has been booted and paused."""
    vm = spapr_machine(machine="pseries-2.12", cpu="power9", smp="8,cores=2,threads=4", vsmt=8, append="console=hvc0 quiet")
    vm.run(until="ready", timeout=TIMEOUT)
    return vm


def test_every_display_says_what_it_should(looked_at: spapr.Machine) -> None:
    vm = looked_at
    for it in shown(vm):
        assert EVIL not in bundle(it)["text/html"]
    machine = bundle(vm)
    assert machine["text/plain"] == repr(vm)
    assert "core 1: vcpu ids 8 9 10 11" in machine["image/svg+xml"]
    assert machine["image/svg+xml"].count('class="sp-on"') == 8
    assert machine["image/svg+xml"].count('class="sp-off"') == 8
    assert "paused" in machine["text/html"]
    vm.cpus[0].set_gpr(7, 0xABCDE)
    registers = bundle(vm.cpus[0])["text/html"]
    assert '<span class="dim">00000000000</span>abcde' in registers
    assert "LPCR" in registers
    assert "servers=8,9,10,11" in bundle(vm.console)["text/html"]
    assert "use vsmt=4" in bundle(MachineConfig(vsmt=3))["text/html"]
    assert "not plugged" in bundle(MachineConfig(smp="1,cores=2,maxcpus=2"))["image/svg+xml"]
    vm.start()
    assert "runs" in bundle(vm.cpus[0])["text/html"]
    vm.close()
    assert "closed" in bundle(vm)["text/html"]
    assert "closed" in repr(vm)


def test_many_cores_are_cut_short(spapr_machine: MachineFactory) -> None:
    made = bundle(MachineConfig(smp="1024", vsmt=1))["image/svg+xml"]
    assert "… and 960 more cores" in made
    assert len(made) < 60_000


def pictures() -> list[str]:
    """Those that are made of results, from made-up ones."""
    hosts = ["kvm-hv/power7", "kvm-hv/power8", "kvm-hv/power9"]
    rows = [(a, f"→ {b}") for a in hosts for b in hosts]
    columns = [(f"threads {threads}", vsmt) for threads in (1, 2, 4, 8) for vsmt in ("default", "4", "8")]
    verdicts = list(heatmap.KINDS)
    cells = {(r, c): {verdicts[(r + c) % 5]: 3, verdicts[r % 2]: 1} if (r * c) % 3 else {verdicts[(r * c) % 5]: 1} for r in range(9) for c in range(12)}
    seconds = [n / 10 for n in range(41)]
    sent, left = [900.0 + n * 37 % 50 for n in range(41)], [max(0.0, 2048 - 60 * n) for n in range(41)]
    panels = [Panel("MiB", (Line("remaining", left, "sp-area"),)), Panel("MiB/s", (Line("sent", sent), Line("changed", [400 + v / 9 for v in sent], "sp-line2")))]
    return [heatmap.draw(rows, columns, cells, ("source → destination", "threads, vsmt")), chart.draw(seconds, panels, "2048 MiB left at first, none after 3.5 s")]


def test_pictures_of_results() -> None:
    squares, lines = map(ElementTree.fromstring, pictures())
    space = "{http://www.w3.org/2000/svg}"
    titles = [title.text for title in squares.iter(f"{space}title")]
    assert len(titles) == 9 * 12
    assert "kvm-hv/power7 → kvm-hv/power7, threads 1 default: migrates" in titles
    assert [text.text for text in squares.iter(f"{space}text")].count("threads 2") == 1
    assert "Verdicts: " in squares.attrib["aria-label"]
    assert [text.text for text in lines.iter(f"{space}text")][-1] == "4 s"
    assert len(list(lines.iter(f"{space}polyline"))) == 3
    for values in ([], [0.0], [1e12, 3.5], [1e-9, 1e-9, 9.99e-9]):
        ElementTree.fromstring(chart.draw([float(n) for n in range(len(values))], [Panel("x", (Line("y", values, "sp-area"),))], "any"))
    assert heatmap.draw([], [], {}).startswith("<svg")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_in_a_browser(looked_at: spapr.Machine, spapr_results: Path, theme: str) -> None:
    html = [bundle(it)["text/html"] for it in shown(looked_at)] + [card(svg) for svg in pictures()]
    cards = "\n".join(f'<div style="margin:14px 0">{it}</div>' for it in html)
    flag = "true" if theme == "light" else "false"
    page = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>spapr</title><body data-jp-theme-light="{flag}" style="margin:16px;background:{"#fff" if theme == "light" else "#111"}">{cards}</body></html>'
    browser.check(browser.look(page, spapr_results, f"displays-{theme}"), cards=22)


def test_the_browser_finds_what_is_wrong(spapr_results: Path) -> None:
    """The measurements can fail."""
    bad = '<div class="spapr" style="background:#fff;width:200px"><p style="color:#aaa">faint</p><p style="margin-top:-34px">on top</p><pre style="width:900px">wide</pre><svg width="50"><text x="40" y="9">cut off</text></svg></div>'
    seen = browser.look(f"<!doctype html><body>{bad}</body>", spapr_results, "bad", width=500)
    assert [text.split(":")[0] for text in seen.faint] == ["faint"]
    assert len(seen.cut) == 2
    assert seen.over == ["faint / on top"]
    assert len(seen.mute) == 1
    assert seen.wide > 0


def test_a_narrow_window(looked_at: spapr.Machine, spapr_results: Path) -> None:
    cards = "\n".join(bundle(it)["text/html"] for it in (looked_at, MachineConfig(), looked_at.console))
    seen = browser.look(f'<!doctype html><body style="margin:4px">{cards}</body>', spapr_results, "narrow", width=500)
    assert (seen.cut, seen.faint, seen.over, seen.wide) == ([], [], [], 0)


def test_a_device_tree_is_read(looked_at: spapr.Machine) -> None:
    tree = looked_at.device_tree
    assert tree["compatible"].text == "qemu,pseries"
    cores = [node for node in tree.node("/cpus").children if node.name.startswith("PowerPC,POWER9")]
    assert [core["ibm,ppc-interrupt-server#s"].cells for core in cores] == [(0, 1, 2, 3), (8, 9, 10, 11)]
    assert cores[1].path == "/cpus/PowerPC,POWER9@8"
    assert tree.node("cpus/PowerPC,POWER9@8").properties == cores[1].properties
    assert tree.node("/memory")["reg"].cells64 == (0, 256 << 20)
    assert tree.node("/memory@0").name == "memory@0"
    with pytest.raises(KeyError, match="did you mean 'compatible'"):
        tree["compatable"]
    with pytest.raises(KeyError, match="did you mean 'chosen'"):
        tree.node("/choosen")
    with pytest.raises(KeyError, match="has 2 nodes"):
        tree.node("/cpus/PowerPC,POWER9")
    assert tree.node("/chosen")["bootargs"].text == "console=hvc0 quiet"
    assert str(tree.node("/chosen")["bootargs"]) == '"console=hvc0 quiet"'
    assert list(tree.node("/cpus"))[0] in dict(tree.node("/cpus"))
    assert len(list(tree.walk())) == str(tree).count("{") == looked_at.dts.count("{")
    assert pickle.loads(pickle.dumps(tree)).node("/chosen").properties == tree.node("/chosen").properties
    blob = looked_at.dtb
    for wrong in (b"", b"\xd0\x0d\xfe\xed", blob[:100], blob[: len(blob) // 2], b"x" * 100, blob[:56] + b"\0\0\0\5" * 20 + blob[136:]):
        with pytest.raises(spapr.SpaprError, match="no flattened device tree"):
            spapr.devicetree.parse(wrong)
