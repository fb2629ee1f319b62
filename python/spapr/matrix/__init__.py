"""Matrices of migrations: every combination of machines, hosts and releases, predicted and carried out.

```python
matrix = spapr.Matrix(
    ruleset=["qemu-2.11", "seed", "qemu-2.12"], machine="pseries-2.11", cap_htm="off", max_cpu_compat="power8",
    source_host=["kvm-hv/power8", "kvm-hv/power9", "tcg"], dest_host="same-axis", threads=[1, 4, 8],
)
verdicts = matrix.check()                                    # nothing is started
print(verdicts.pivot(rows="source_host", cols=["dest_host", "ruleset"]))
rows = matrix.prune(verdicts).run()                          # every cell is started, migrated and looked at
assert rows.disagreements() == []
```
"""

from __future__ import annotations

from spapr.matrix.axes import Cell, CellView
from spapr.matrix.core import Matrix
from spapr.matrix.payload import Embedded, Kernel, Payload
from spapr.matrix.pivot import Pivot
from spapr.matrix.results import Difference, Results, Row
from spapr.matrix.verdicts import VerdictRow, Verdicts

__all__ = ["Cell", "CellView", "Difference", "Embedded", "Kernel", "Matrix", "Payload", "Pivot", "Results", "Row", "VerdictRow", "Verdicts"]
