from _typeshed import Incomplete
from typing import Final, SupportsIndex, final

__all__ = ["VERSION", "Answer", "explain", "hosts", "machine_versions", "resolve", "rulesets"]

VERSION: Final[str]
"""
Version of the package.
"""

@final
class Answer:
    """
    What would happen; the fields are those of `spapr.Explanation`.
    """
    @property
    def advertised_servers(self, /) -> int | None: ...
    @property
    def hint(self, /) -> str: ...
    @property
    def ic_mode(self, /) -> str | None: ...
    @property
    def kernel_mode(self, /) -> int | None: ...
    @property
    def max_server_number(self, /) -> int | None: ...
    @property
    def message(self, /) -> str: ...
    @property
    def origin(self, /) -> str: ...
    @property
    def outcome(self, /) -> str: ...
    @property
    def qemu_outcome(self, /) -> str: ...
    @property
    def ruleset(self, /) -> str: ...
    @property
    def vcpu_ids(self, /) -> Incomplete: ...
    @property
    def vsmt(self, /) -> int | None: ...

def explain(*, ruleset: str | None = None, machine: str, host: str, threads: SupportsIndex, vsmt: SupportsIndex | None = None, cpus: SupportsIndex | None = None, max_cpus: SupportsIndex | None = None, ic_mode: str | None = None, cpu: str | None = None, max_cpu_compat: str | None = None) -> Answer:
    """
    Asks what a machine comes to, without starting anything.
    """

def hosts() -> list[tuple[str, str]]:
    """
    The host profiles: name and what it stands for.
    """

def machine_versions() -> list[str]:
    """
    The machine versions, newest first.
    """

def resolve(config: Incomplete) -> tuple[dict, list[tuple[str, str, str]]]:
    """
    Checks a configuration: a dictionary of the settled values, and what is odd but starts as `(setting, message, hint)`.
    """

def rulesets() -> list[str]:
    """
    The names of the rulesets, oldest first.
    """
