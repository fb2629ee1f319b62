"""A device tree as Python objects: nodes with properties, read from the flattened form that the guest has.

```python
tree = vm.device_tree
tree.node("/chosen")["bootargs"].text
[node["ibm,ppc-interrupt-server#s"].cells for node in tree.node("/cpus").children if node.name.startswith("PowerPC")]
```
"""

from __future__ import annotations

import difflib
import struct
from collections.abc import Iterator, Mapping

from spapr.errors import SpaprError

__all__ = ["Node", "Property", "parse"]

_MAGIC = 0xD00DFEED
_BEGIN, _END, _PROP, _NOP, _STOP = 1, 2, 3, 4, 9
_DEPTH_MAX = 64
_SHOWN_BYTES = 64


class Property(bytes):
    """The value of a property: bytes, with the readings that device trees use."""

    @property
    def cells(self) -> tuple[int, ...]:
        """As numbers of 32 bits."""
        return struct.unpack(f">{len(self) // 4}I", self[: len(self) // 4 * 4])

    @property
    def cells64(self) -> tuple[int, ...]:
        """As numbers of 64 bits."""
        return struct.unpack(f">{len(self) // 8}Q", self[: len(self) // 8 * 8])

    @property
    def strings(self) -> tuple[str, ...]:
        """As texts that end in zero bytes."""
        return tuple(part.decode("utf-8", "replace") for part in bytes(self).removesuffix(b"\0").split(b"\0"))

    @property
    def text(self) -> str:
        """As one text."""
        return self.strings[0]

    @property
    def is_text(self) -> bool:
        """Whether it looks like text."""
        if len(self) < 2 or self[-1] != 0:
            return False
        return all(part and all(32 <= byte < 127 for byte in part) for part in bytes(self)[:-1].split(b"\0"))

    def __str__(self) -> str:
        """As a device tree's source would have it; long ones are cut short."""
        if not self:
            return ""
        if self.is_text:
            return ", ".join(f'"{text}"' for text in self.strings)
        more = f" … {len(self)} bytes" if len(self) > _SHOWN_BYTES else ""
        if len(self) % 4 == 0:
            return f"<{' '.join(f'{cell:#x}' for cell in self.cells[: _SHOWN_BYTES // 4])}{more}>"
        return f"[{bytes(self[:_SHOWN_BYTES]).hex(' ')}{more}]"

    def __repr__(self) -> str:
        return f"<Property {self}>"


class Node(Mapping[str, "Property"]):
    """A node: a mapping of its properties by name. Other nodes: `children`, `node("/a/path")`, `walk()`."""

    def __init__(self, name: str, properties: Mapping[str, Property], children: tuple[Node, ...], path: str = "/") -> None:
        self.name = name
        """Name and unit address; empty for the root."""
        self.path = path
        """Where it is in its tree."""
        self.properties = dict(properties)
        """Its properties by name."""
        self.children = children
        """The nodes right below it."""

    def __getitem__(self, key: str) -> Property:
        try:
            return self.properties[key]
        except KeyError:
            raise KeyError(_missing(f"{self.path} has no property {key!r}", key, self.properties)) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self.properties)

    def __len__(self) -> int:
        return len(self.properties)

    def node(self, path: str) -> Node:
        """The node at a path from here; a unit address may be left out where there is only one."""
        at = self
        for step in filter(None, path.split("/")):
            found = [child for child in at.children if child.name == step] or [child for child in at.children if child.name.partition("@")[0] == step]
            if len(found) != 1:
                what = "has no node" if not found else f"has {len(found)} nodes"
                raise KeyError(_missing(f"{at.path} {what} {step!r}", step, [child.name for child in at.children]))
            at = found[0]
        return at

    def walk(self) -> Iterator[Node]:
        """This node and all below it."""
        yield self
        for child in self.children:
            yield from child.walk()

    def _ipython_key_completions_(self) -> list[str]:
        return list(self.properties)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        from spapr import jupyter

        return jupyter.node(self)

    def __repr__(self) -> str:
        return f"<spapr.devicetree.Node {self.path}: {len(self)} properties, {len(self.children)} nodes>"

    def __str__(self) -> str:
        return "\n".join(self._lines(""))

    def _lines(self, indent: str) -> Iterator[str]:
        yield f"{indent}{self.name or '/'} {{"
        for name, value in self.properties.items():
            yield f"{indent}    {name}{f' = {value}' if value else ''};"
        for child in self.children:
            yield from child._lines(indent + "    ")
        yield f"{indent}}};"


def _missing(what: str, word: str, known: Mapping[str, object] | list[str]) -> str:
    near = difflib.get_close_matches(word, list(known), n=1)
    return f"{what}; did you mean {near[0]!r}?" if near else what


def parse(blob: bytes) -> Node:
    """The tree in a flattened device tree. What is none is a `SpaprError`."""
    try:
        magic, size, at, strings = struct.unpack_from(">4I", blob)
        if magic != _MAGIC or size > len(blob):
            raise ValueError("it has no header of one, or is cut short")
        node, _ = _node(blob, at, strings, "/", 0)
    except (ValueError, IndexError, struct.error) as error:
        raise SpaprError(f"these {len(blob)} bytes are no flattened device tree: {error}") from None
    return node


def _text(blob: bytes, at: int) -> str:
    return blob[at : blob.index(b"\0", at)].decode("utf-8", "replace")


def _node(blob: bytes, at: int, strings: int, parent: str, depth: int) -> tuple[Node, int]:
    (token,) = struct.unpack_from(">I", blob, at)
    if token != _BEGIN or depth > _DEPTH_MAX:
        raise ValueError(f"token {token} at {at:#x}, depth {depth}")
    end = blob.index(b"\0", at + 4)
    name = blob[at + 4 : end].decode("utf-8", "replace")
    path = parent.rstrip("/") + "/" + name if name else "/"
    at = (end + 4) // 4 * 4
    properties: dict[str, Property] = {}
    children: list[Node] = []
    while True:
        (token,) = struct.unpack_from(">I", blob, at)
        if token == _PROP:
            length, offset = struct.unpack_from(">2I", blob, at + 4)
            properties[_text(blob, strings + offset)] = Property(blob[at + 12 : at + 12 + length])
            at += 12 + (length + 3) // 4 * 4
        elif token == _BEGIN:
            child, at = _node(blob, at, strings, path, depth + 1)
            children.append(child)
        elif token == _NOP:
            at += 4
        elif token == _END:
            return Node(name, properties, tuple(children), path), at + 4
        else:
            raise ValueError(f"token {token} at {at:#x}")
