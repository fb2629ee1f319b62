"""A page as a browser shows it: a screenshot to look at, and the browser's own measurements to test.

The measurements are made by a script inside the page, after every fold is opened: the contrast of every text with what is behind it,
text that is cut off, pictures without words.
"""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from conftest import lacking

SECONDS = 600.0

MEASURE = r"""
<script>
addEventListener("load", () => {
  document.querySelectorAll("details").forEach(d => d.open = true);
  const rgb = text => (text.match(/[\d.]+/g) || []).map(Number);
  const lum = c => { const [r, g, b] = c.map(v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b; };
  const ratio = (a, b) => { const [x, y] = [lum(a), lum(b)].sort((p, q) => q - p); return (x + .05) / (y + .05); };
  const painted = c => c.length >= 3 && (c.length < 4 || c[3] > 0);
  const behind = e => {
    for (const r of e.ownerSVGElement ? [...e.parentNode.querySelectorAll(":scope > rect"), ...e.parentNode.parentNode.querySelectorAll(":scope > rect")] : []) {
      const f = getComputedStyle(r).fill; if (f !== "none" && painted(rgb(f))) return rgb(f);
    }
    for (let p = e.ownerSVGElement || e; p; p = p.parentElement) { const c = rgb(getComputedStyle(p).backgroundColor); if (painted(c)) return c; }
    return [255, 255, 255];
  };
  const faint = [], cut = [], mute = [], over = []; let texts = 0;
  for (const card of document.querySelectorAll(".spapr")) {
    const boxes = [];
    const walk = document.createTreeWalker(card, NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) {
      const e = walk.currentNode.parentElement, text = walk.currentNode.textContent.trim();
      if (!text || ["STYLE", "title"].includes(e.tagName)) continue;
      texts++;
      const s = getComputedStyle(e), colour = rgb(e.ownerSVGElement ? s.fill : s.color), r = ratio(colour.slice(0, 3), behind(e).slice(0, 3));
      if (r < 4.5 && text !== "·") faint.push(`${text}: ${r.toFixed(2)}`);
      const range = document.createRange(); range.selectNodeContents(walk.currentNode);
      for (const r of range.getClientRects()) boxes.push([r.left + 1, r.right - 1, r.top + 3, r.bottom - 3, text]);
      const box = e.getBoundingClientRect(), frame = (e.ownerSVGElement || card).getBoundingClientRect();
      if (e.ownerSVGElement && (box.left < frame.left - 1 || box.right > frame.right + 1 || box.bottom > frame.bottom + 1)) cut.push(text);
    }
    boxes.forEach((a, n) => boxes.slice(n + 1).forEach(b => { if (a[0] < b[1] && b[0] < a[1] && a[2] < b[3] && b[2] < a[3]) over.push(`${a[4]} / ${b[4]}`); }));
    if (card.scrollWidth > card.clientWidth + 1) cut.push("card: " + card.innerText.slice(0, 40));
    card.querySelectorAll("svg").forEach(s => { if (s.getAttribute("role") !== "img" || !s.getAttribute("aria-label")) mute.push(card.innerText.slice(0, 40)); });
  }
  const out = document.createElement("pre"); out.id = "measured";
  out.textContent = JSON.stringify({cards: document.querySelectorAll(".spapr").length, texts, faint, cut, mute, over, wide: document.documentElement.scrollWidth - innerWidth});
  document.body.append(out);
});
</script>
"""


@dataclass(frozen=True)
class Look:
    """What the browser says of a page."""

    cards: int
    """Displays of spapr's in it."""
    texts: int
    """Pieces of text in them."""
    faint: list[str]
    """Text with a contrast below 4.5, the least for small text in WCAG 2."""
    cut: list[str]
    """Text outside its picture, or a card that must be scrolled."""
    mute: list[str]
    """Pictures that do not say in words what they show."""
    over: list[str]
    """Text that lies on other text."""
    wide: int
    """Pixels by which the page is wider than the window."""


@cache
def chromium() -> str:
    """The browser, or the test is skipped."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    lacking("chromium is missing; install Debian's package chromium")
    raise AssertionError


def _run(page: Path, *options: str) -> str:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [chromium(), "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
        command += ["--disable-component-update", "--disable-sync", "--hide-scrollbars", f"--user-data-dir={profile}", *options, page.as_uri()]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def look(text: str, results: Path, name: str, *, width: int = 1000, height: int = 2400) -> Look:
    """Shows a page: `NAME.html` and `NAME.png` in the results. Scripts of its own are taken out: nothing is fetched."""
    bare = re.sub(r"(?s)<script\b.*?</script>", "", text)
    page = results / f"{name}.html"
    page.write_text(bare)
    picture = results / f"{name}.png"
    _run(page, f"--window-size={width},{height}", f"--screenshot={picture}")
    assert picture.read_bytes()[:4] == b"\x89PNG"
    measured = results / f"{name}.measured.html"
    measured.write_text(bare + MEASURE)
    dom = _run(measured, f"--window-size={width},{height}", "--dump-dom")
    found = re.search(r'<pre id="measured">(.*?)</pre>', dom, re.DOTALL)
    assert found, dom[-2000:]
    return Look(**json.loads(html.unescape(found.group(1))))


def check(seen: Look, cards: int) -> None:
    """What must be so on every page."""
    assert seen.cards >= cards
    assert seen.texts > 5 * cards
    assert (seen.faint, seen.cut, seen.mute, seen.over) == ([], [], [], [])
    assert seen.wide <= 0
