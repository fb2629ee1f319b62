"""Matrices of migrations: every combination of machines, hosts and releases, predicted.

```python
matrix = spapr.Matrix(
    ruleset=["qemu-2.11", "seed", "qemu-2.12"], machine="pseries-2.11", cap_htm="off", max_cpu_compat="power8",
    source_host=["kvm-hv/power8", "kvm-hv/power9", "tcg"], dest_host="same-axis", threads=[1, 4, 8],
)
verdicts = matrix.check()        # nothing is started
print(verdicts.pivot(rows="source_host", cols=["dest_host", "ruleset"]))
```
"""

from __future__ import annotations

from spapr.matrix.axes import Cell, CellView
from spapr.matrix.core import Matrix
from spapr.matrix.pivot import Pivot
from spapr.matrix.verdicts import VerdictRow, Verdicts

__all__ = ["Cell", "CellView", "Matrix", "Pivot", "VerdictRow", "Verdicts"]
