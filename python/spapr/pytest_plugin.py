"""Fixtures, markers and options for pytest. Installed with spapr, found by pytest itself.

Everything that a test made through these fixtures is closed when the test ends, however it ends. What is worth keeping of a failed
one (consoles, configurations, registers, the device trees) is kept as files, and the end of it stands in the report. Nothing is
shared between processes, no port is opened and nothing is written outside pytest's own temporary folder unless it is asked for, so
`pytest -n` needs no thought.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import warnings
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Unpack

import pytest

if TYPE_CHECKING:
    from spapr import Machine, MachineConfig, Snapshot
    from spapr.config import MachineSettings
    from spapr.testing import Payload

__all__ = ["BootedFactory", "MachineFactory", "PairFactory"]

READY = r"^ready\n> "
"""What the embedded guest says when it is ready."""
PANIC = r"Kernel panic.*|Oops: .*|^unexpected interrupt.*"
"""What a guest says that will not come to anything."""

_TAIL_LINES = 30
_SMP = ("cpus", "sockets", "cores", "threads", "maxcpus")
_MACHINES: pytest.StashKey[list[Machine]] = pytest.StashKey()
_RESULTS: pytest.StashKey[Path] = pytest.StashKey()
_FAILED: pytest.StashKey[bool] = pytest.StashKey()


class MachineFactory(Protocol):
    """What `spapr_machine` is."""

    def __call__(self, config: MachineConfig | None = None, /, *, payload: Payload | None = None, **settings: Unpack[MachineSettings]) -> Machine:
        """A machine that has not started. Without a kernel and without a payload it has the embedded guest."""


class BootedFactory(Protocol):
    """What `spapr_booted` is."""

    def __call__(
        self,
        config: MachineConfig | None = None,
        /,
        *,
        until: str = READY,
        fail_on: str | None = PANIC,
        prepare: Callable[[Machine], object] | None = None,
        timeout: float = 600,
        **settings: Unpack[MachineSettings],
    ) -> Machine:
        """A running guest, which is a fork of one that was booted once."""


class PairFactory(Protocol):
    """What `spapr_pair` is."""

    def __call__(
        self,
        source: MachineSettings | None = None,
        destination: MachineSettings | None = None,
        /,
        *,
        payload: Payload | None = None,
        **settings: Unpack[MachineSettings],
    ) -> tuple[Machine, Machine]:
        """A machine that has not started, and one that its guest may move to."""


# --- options -----------------------------------------------------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("spapr", "pseries machines")
    group.addoption("--spapr-accel", metavar="NAME", default="auto", help="what runs the guests of the spapr fixtures: interp, tcg, kvm, or auto, the best that there is (default)")
    group.addoption("--spapr-kernel", metavar="FILE", default=os.environ.get("SPAPR_KERNEL"), help="kernel that spapr_kernel gives (default: SPAPR_KERNEL)")
    group.addoption("--spapr-initrd", metavar="FILE", default=os.environ.get("SPAPR_INITRD"), help="initial RAM disk that spapr_initrd gives (default: SPAPR_INITRD)")
    group.addoption("--spapr-keep", choices=["failed", "all", "none"], default="failed", help="of which tests the machines' consoles, configurations and registers are kept (default: failed)")
    group.addoption("--spapr-results", metavar="DIR", help="where they are kept (default: pytest's temporary folder)")
    group.addoption("--spapr-strict", action="store_true", help="a test that lacks a kernel or KVM fails instead of being skipped")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "spapr(**settings): settings of the machines that the spapr fixtures make, as for spapr.Machine; also cpus, sockets, cores, threads and maxcpus by themselves")
    config.addinivalue_line("markers", "needs_kvm: needs a host whose KVM can run pseries guests; skipped elsewhere")


def pytest_report_header(config: pytest.Config) -> str:
    import spapr

    accel = config.getoption("--spapr-accel")
    kernel = config.getoption("--spapr-kernel")
    return f"spapr: {spapr.__version__}, accel {accel}, {f'kernel {kernel}, ' if kernel else ''}results kept: {config.getoption('--spapr-keep')}"


# --- what a test may lack ----------------------------------------------------------------------------------------------------


def _lacking(config: pytest.Config, what: str) -> None:
    if config.getoption("--spapr-strict"):
        pytest.fail(f"{what} (--spapr-strict)", pytrace=False)
    pytest.skip(what)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("needs_kvm") is not None and (why := _why_no_kvm(item.config)):
        _lacking(item.config, f"needs KVM: {why}")


_NO_KVM: pytest.StashKey[str] = pytest.StashKey()


def _why_no_kvm(config: pytest.Config) -> str:
    """Why KVM cannot be used here; empty if it can."""
    if _NO_KVM not in config.stash:
        import spapr

        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", spapr.SpaprWarning)
                spapr.Machine(accel="kvm", memory="256M").close()
            config.stash[_NO_KVM] = ""
        except spapr.SpaprError as error:
            config.stash[_NO_KVM] = getattr(error, "problem", str(error))
    return config.stash[_NO_KVM]


@pytest.fixture(scope="session")
def spapr_kernel(request: pytest.FixtureRequest) -> Path:
    """A Linux kernel: `--spapr-kernel` or `SPAPR_KERNEL`. Without one the test is skipped and says so. A project may override this fixture."""
    kernel = request.config.getoption("--spapr-kernel")
    if not kernel:
        _lacking(request.config, "no guest kernel: give --spapr-kernel=vmlinux, or set SPAPR_KERNEL")
    return Path(kernel)


@pytest.fixture(scope="session")
def spapr_initrd(request: pytest.FixtureRequest) -> Path | None:
    """The initial RAM disk that goes with `spapr_kernel`, if there is one: `--spapr-initrd` or `SPAPR_INITRD`."""
    initrd = request.config.getoption("--spapr-initrd")
    return Path(initrd) if initrd else None


# --- machines ----------------------------------------------------------------------------------------------------------------


def _marked(item: pytest.Item) -> dict[str, Any]:
    """The settings of a test's `spapr` markers; the closest says the last word."""
    __tracebackhide__ = True
    settings: dict[str, Any] = {}
    smp: dict[str, Any] = {}
    for marker in reversed(list(item.iter_markers("spapr"))):
        if marker.args:
            raise pytest.UsageError(f"{item.nodeid}: the marker spapr takes settings by keyword, such as spapr(cpu={marker.args[0]!r})")
        if "smp" in marker.kwargs:
            smp.clear()
        for name, value in marker.kwargs.items():
            (smp if name in _SMP else settings)[name] = value
    if smp:
        import spapr

        base = spapr.Smp.of(settings.get("smp"))
        settings["smp"] = {name: getattr(base, name) for name in _SMP if getattr(base, name) is not None} | smp
    return settings


def _config(item: pytest.Item, config: MachineConfig | None, payload: Payload | None, settings: Any) -> MachineConfig:
    """What a test asks for: its own words, over those of its markers, over those of the payload or the embedded guest's, over the command line's."""
    __tracebackhide__ = True
    import spapr
    from spapr.testing import embedded_guest

    accel = item.config.getoption("--spapr-accel")
    if config is not None:
        return config.replace(**({"accel": accel} if config.accel == "auto" else {}) | settings)
    asked = {"accel": accel} | _marked(item) | settings
    base: Any = payload.settings() if payload is not None else {} if "kernel" in asked else {"memory": "256M", "kernel": embedded_guest()}
    return spapr.MachineConfig(**(base | asked))


def _machine(item: pytest.Item, stack: contextlib.ExitStack, asked: MachineConfig, payload: Payload | None = None, **how: Any) -> Machine:
    __tracebackhide__ = True
    import spapr

    vm = stack.enter_context(spapr.Machine(asked, **how))
    item.stash.setdefault(_MACHINES, []).append(vm)
    if payload is not None:
        payload.prepare(vm)
    return vm


@pytest.fixture
def spapr_machine(request: pytest.FixtureRequest) -> Iterator[MachineFactory]:
    """Makes machines: `spapr_machine(cpu="power9", smp=4)`. They are closed when the test ends, whatever became of it.

    Settings are those of `spapr.Machine`, over those of the test's `spapr` markers. A machine that is given neither a kernel nor a
    `payload` (`spapr.testing`) has the embedded guest.
    """
    item = request.node
    with contextlib.ExitStack() as stack:

        def make(config: MachineConfig | None = None, /, *, payload: Payload | None = None, **settings: Unpack[MachineSettings]) -> Machine:
            __tracebackhide__ = True
            return _machine(item, stack, _config(item, config, payload, settings), payload)

        yield make


@pytest.fixture
def spapr_pair(request: pytest.FixtureRequest) -> Iterator[PairFactory]:
    """Makes two machines for a guest that is to move: `src, dst = spapr_pair(cpu="power8", smp=4)`, then `src.migrate(dst)`.

    The settings are for both; what only one has goes before them: `spapr_pair({"vsmt": 8}, {"vsmt": 4}, smp="8,threads=4")`. A `payload` is the source's.
    """
    item = request.node
    with contextlib.ExitStack() as stack:

        def make(
            source: MachineSettings | None = None,
            destination: MachineSettings | None = None,
            /,
            *,
            payload: Payload | None = None,
            **settings: Unpack[MachineSettings],
        ) -> tuple[Machine, Machine]:
            __tracebackhide__ = True
            src = _machine(item, stack, _config(item, None, payload, {**settings, **(source or {})}), payload)
            dst = _machine(item, stack, _config(item, None, payload, {**settings, **(destination or {})}), incoming=True)
            return src, dst

        yield make


class _Boots:
    """The guests that have been booted in this process, frozen where they were ready; and those that could not be, so that each is tried once."""

    def __init__(self) -> None:
        self.stack = contextlib.ExitStack()
        self.snapshots: dict[object, Snapshot | Exception] = {}

    def get(self, item: pytest.Item, asked: MachineConfig, until: str, fail_on: str | None, prepare: Callable[[Machine], object] | None, timeout: float) -> Snapshot:
        __tracebackhide__ = True
        key = (asked, until, fail_on, prepare)
        if key not in self.snapshots:
            try:
                self.snapshots[key] = self.boot(item, asked, until, fail_on, prepare, timeout)
            except Exception as error:
                self.snapshots[key] = error
                raise
        found = self.snapshots[key]
        if isinstance(found, Exception):
            raise found
        return found

    def boot(self, item: pytest.Item, asked: MachineConfig, until: str, fail_on: str | None, prepare: Callable[[Machine], object] | None, timeout: float) -> Snapshot:
        __tracebackhide__ = True
        with contextlib.ExitStack() as stack:
            vm = _machine(item, stack, asked)
            vm.start()
            vm.console.expect(until, fail_on=fail_on, timeout=timeout)
            if prepare is not None:
                prepare(vm)
            vm.pause()
            snapshot = self.stack.enter_context(contextlib.closing(vm.snapshot()))
        # It did its part; what a test's report is to show are the forks.
        item.stash[_MACHINES].remove(vm)
        return snapshot


@pytest.fixture(scope="session")
def _spapr_boots() -> Iterator[_Boots]:
    boots = _Boots()
    with boots.stack:
        yield boots


@pytest.fixture
def spapr_booted(request: pytest.FixtureRequest, _spapr_boots: _Boots) -> Iterator[BootedFactory]:
    """Guests that are booted already: `vm = spapr_booted(cpu="power9")`. Each is a fork, running, independent of all others, and closed when the test ends.

    The first call with some settings boots such a guest: it is started, until its console says `until` (`fail_on`, a panic, ends that), handed to
    `prepare` (a function that logs in, mounts things and the like), and frozen. That call and all later ones in the process fork it.
    """
    item = request.node
    with contextlib.ExitStack() as stack:

        def make(
            config: MachineConfig | None = None,
            /,
            *,
            until: str = READY,
            fail_on: str | None = PANIC,
            prepare: Callable[[Machine], object] | None = None,
            timeout: float = 600,
            **settings: Unpack[MachineSettings],
        ) -> Machine:
            __tracebackhide__ = True
            asked = _config(item, config, None, settings)
            vm = stack.enter_context(_spapr_boots.get(item, asked, until, fail_on, prepare, timeout).fork())
            vm._asked = asked
            item.stash.setdefault(_MACHINES, []).append(vm)
            vm.start()
            return vm

        yield make


# --- what is left of a test --------------------------------------------------------------------------------------------------


@pytest.fixture
def spapr_results(request: pytest.FixtureRequest) -> Path:
    """A folder for what a test wants looked at when it fails. Kept then, with what its machines leave; otherwise removed (`--spapr-keep`)."""
    return _results(request.node)


def _results(item: pytest.Item) -> Path:
    if _RESULTS in item.stash:
        return item.stash[_RESULTS]
    file, _, test = item.nodeid.partition("::")
    name = re.sub(r"[^\w.-]+", "-", f"{Path(file).stem}-{test}").strip("-")[:100]
    given = item.config.getoption("--spapr-results")
    # The same test may run in several workers (--dist=each), and again (reruns): each time gets a folder of its own.
    base = Path(given).absolute() if given else _temporary(item.config)
    for n in range(1_000_000):
        folder = base / (f"{name}-{n}" if n else name)
        with contextlib.suppress(FileExistsError):
            folder.mkdir(parents=True)
            item.stash[_RESULTS] = folder
            return folder
    raise RuntimeError(f"{base} is full of results of {name}")


def _temporary(config: pytest.Config) -> Path:
    factory: pytest.TempPathFactory = config._tmp_path_factory  # type: ignore[attr-defined]
    return factory.getbasetemp() / "spapr"


def _describe(vm: Machine) -> str:
    """A machine in the report of a failed test."""
    lines = [repr(vm)]
    if vm.status_text:
        lines.append(vm.status_text)
    lines.append(f"asked for: {vm._asked!r}")
    lines += [f"console {console.index}:\n{console.tail(_TAIL_LINES)}" for console in vm.consoles if console.raw]
    return "\n".join(lines)


def _archive(vm: Machine, stem: Path) -> None:
    """A machine as files: everything that it said, what it was, and what its vCPUs were at."""
    import shlex

    for console in vm.consoles:
        stem.with_suffix(f".console{console.index}.log").write_bytes(console.raw)
    qemu = shlex.join(["qemu-system-ppc64", *vm.config.to_qemu_args()])
    stem.with_suffix(".config.txt").write_text(f"{vm!r}\nasked for: {vm._asked!r}\ncame to: {vm.config!r}\nin QEMU's words: {qemu}\n")
    if vm.status == "closed":
        return
    with vm.paused():
        stem.with_suffix(".cpus.txt").write_text("\n\n".join(str(cpu) for cpu in vm.cpus) + "\n")
        stem.with_suffix(".dts").write_text(vm.dts)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    machines = item.stash.get(_MACHINES, [])
    if report.failed:
        item.stash[_FAILED] = True
    keep = item.config.getoption("--spapr-keep")
    if machines and keep != "none" and (report.failed or (keep == "all" and report.when == "call")):
        with _noted(report, "could not be kept"):
            for n, vm in enumerate(machines):
                _archive(vm, _results(item) / f"machine{n}")
    if report.failed:
        for n, vm in enumerate(machines):
            with _noted(report, "could not be described"):
                report.sections.append((f"spapr machine {n}", _describe(vm)))
        if _RESULTS in item.stash and keep != "none":
            report.sections.append(("spapr results", f"kept in {item.stash[_RESULTS]}"))
    if report.when == "teardown":
        _forget(item, keep)
    return report


@contextlib.contextmanager
def _noted(report: pytest.TestReport, what: str) -> Iterator[None]:
    """What goes wrong while a failure is described must not hide the failure."""
    try:
        yield
    except Exception as error:
        report.sections.append(("spapr", f"the machines {what}: {error!r}"))


def _forget(item: pytest.Item, keep: str) -> None:
    item.stash.get(_MACHINES, []).clear()
    kept = keep == "all" or (keep == "failed" and item.stash.get(_FAILED, False))
    if _RESULTS in item.stash:
        if not kept:
            shutil.rmtree(item.stash[_RESULTS], ignore_errors=True)
        del item.stash[_RESULTS]
    if _FAILED in item.stash:
        del item.stash[_FAILED]
