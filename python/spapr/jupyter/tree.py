"""A device tree in a notebook: nodes that unfold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spapr.jupyter.page import escape, head, table

if TYPE_CHECKING:
    from spapr.devicetree import Node

__all__ = ["node_card"]


def node_card(node: Node) -> str:
    """A node, its properties and all below it."""
    count = sum(1 for _ in node.walk())
    return head("Device tree", f"{node.path} · {count} node{'' if count == 1 else 's'}") + f'<div class="tree">{_inside(node)}</div>'


def _inside(node: Node) -> str:
    own = table((name, escape(str(value))) for name, value in node.properties.items()) if node.properties else ""
    return own + "".join(f"<details><summary>{escape(child.name)}</summary>{_inside(child)}</details>" for child in node.children)
