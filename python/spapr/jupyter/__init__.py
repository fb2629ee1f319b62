"""How spapr's objects look in a notebook: HTML with pictures in SVG, and plain text for everywhere else.

Pure Python and text: nothing is imported that a notebook would not have, nothing is loaded from anywhere, and there is no script. The types
themselves have a `_repr_mimebundle_` of two lines that leads here, so that `import spapr` does not pay for it. Every picture says in
words what it shows (`aria-label`), no meaning is in a colour alone, and the colours are those of the notebook's theme, light or dark.
"""

from __future__ import annotations

from typing import Any

from spapr.jupyter.cards import config_card, console_card, cpu_card, explanation_card, listing_card, machine_card
from spapr.jupyter.migrations import migration_card
from spapr.jupyter.page import card, standalone
from spapr.jupyter.tree import node_card
from spapr.jupyter.verdicts import hosts_card, matrix_card, results_card, verdict_card, verdicts_card

__all__ = ["Bundle", "config", "console", "cpu", "explanation", "hosts", "listing", "machine", "matrix", "migration", "node", "results", "verdict", "verdicts"]

Bundle = dict[str, str]


def _bundle(plain: str, html: str, svg: str = "") -> Bundle:
    bundle = {"text/plain": plain, "text/html": card(html)}
    if svg:
        bundle["image/svg+xml"] = standalone(svg)
    return bundle


def machine(vm: Any) -> Bundle:
    """A machine: what it is, its vcpu ids, its settings."""
    return _bundle(repr(vm), *machine_card(vm))


def config(asked: Any) -> Bundle:
    """A configuration: what was asked for, and what comes of it."""
    return _bundle(repr(asked), *config_card(asked))


def cpu(it: Any) -> Bundle:
    """A vCPU's registers."""
    return _bundle(repr(it), cpu_card(it))


def console(it: Any) -> Bundle:
    """The end of what a terminal has said."""
    return _bundle(repr(it), console_card(it))


def explanation(it: Any) -> Bundle:
    """What comes of a machine on a host."""
    return _bundle(str(it), *explanation_card(it))


def listing(rows: Any) -> Bundle:
    """Disassembled instructions."""
    return _bundle(str(rows), listing_card(rows))


def node(it: Any) -> Bundle:
    """A node of a device tree, with all below it."""
    return _bundle(str(it), node_card(it))


def verdict(it: Any) -> Bundle:
    """Whether a guest may move, and why not."""
    return _bundle(str(it), verdict_card(it))


def verdicts(it: Any) -> Bundle:
    """How many cells of a matrix have which verdict."""
    return _bundle(repr(it), verdicts_card(it))


def matrix(it: Any) -> Bundle:
    """The axes of a matrix."""
    return _bundle(repr(it), matrix_card(it))


def hosts(it: Any) -> Bundle:
    """The kinds of host."""
    return _bundle(repr(it), hosts_card(it))


def migration(it: Any) -> Bundle:
    """How a migration goes, or went."""
    return _bundle(str(it), *migration_card(it))


def results(it: Any) -> Bundle:
    """What came of the cells of a matrix that were carried out."""
    return _bundle(repr(it), results_card(it))
