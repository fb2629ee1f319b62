"""The package as such: quick to import, nothing optional dragged in, typed as the binary is."""

from __future__ import annotations

import dataclasses
import inspect
import pickle
import subprocess
import sys

import pytest
from conftest import ROOT

import spapr
from spapr import errors


def test_import_is_quick_and_drags_nothing_in() -> None:
    code = "import sys, time; t = time.process_time(); import spapr; print(time.process_time() - t); print(*sorted(sys.modules))"
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split("\n") for _ in range(5)]
    # The processor's time: a clock on the wall would measure what else the machine does.
    assert min(float(run[0]) for run in runs) < 0.1
    modules = set(runs[0][1].split())
    assert modules.isdisjoint({"numpy", "pandas", "matplotlib", "pytest", "asyncio", "argparse", "hypothesis", "spapr.pytest_plugin", "spapr.testing", "spapr.jupyter"})


def test_stub_is_what_the_binary_has() -> None:
    check = subprocess.run([sys.executable, "-m", "mypy.stubtest", "spapr._spapr"], capture_output=True, text=True, cwd=ROOT)
    assert check.returncode == 0, check.stdout


def test_types_fit() -> None:
    check = subprocess.run([sys.executable, "-m", "mypy"], capture_output=True, text=True, cwd=ROOT)
    assert check.returncode == 0, check.stdout


def test_all_names_exist_and_are_documented() -> None:
    assert (ROOT / "python" / "spapr" / "py.typed").exists()
    for name in spapr.__all__:
        value = getattr(spapr, name)
        if isinstance(value, type) or callable(value):
            assert value.__doc__, name


@pytest.mark.parametrize(
    ("error", "builtin"),
    [
        (errors.ConfigError("vsmt", "2 is small", "use vsmt=4"), ValueError),
        (errors.BootError("kernel", "no ELF", "give a kernel"), ValueError),
        (errors.StateError("step", "it runs", "pause first"), RuntimeError),
        (errors.AccelUnavailable("kvm", "no /dev/kvm", 'use accel="interp"'), OSError),
        (errors.HostError(2, "No such file", "opening x"), FileNotFoundError),
        (errors.HostError(13, "Permission denied", "opening x"), PermissionError),
        (errors.HostError(None, "odd", "doing x"), OSError),
        (errors.GuestMemoryError(4096, 8, 1024), IndexError),
        (errors.GuestPanic("the guest panicked", "Oops\nend"), errors.SpaprError),
        (errors.ConsoleTimeout("no prompt", "tail"), TimeoutError),
        (errors.ConsoleClosed("it ended"), EOFError),
    ],
)
def test_errors_are_builtin_ones_too_and_can_be_pickled(error: errors.SpaprError, builtin: type[Exception]) -> None:
    assert isinstance(error, builtin)
    assert isinstance(error, errors.SpaprError)
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), again.__dict__) == (type(error), str(error), error.__dict__)
    # As `distributed` has exceptions pickled once it is imported.
    bare = type(error).__new__(type(error))
    assert type(bare) is type(error)


@pytest.mark.parametrize(("name", "said"), [("console.py", "thread server=9 pir=9"), ("ids.py", "0 1 2 3 8 9 10 11")])
def test_examples_run(name: str, said: str) -> None:
    ran = subprocess.run([sys.executable, ROOT / "examples" / name], capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    assert said in ran.stdout


def test_names_are_completed() -> None:
    """What `help`, IPython and editors go by."""
    assert {"HOSTS", "Machine", "explain", "jupyter", "testing"} <= set(dir(spapr))
    assert not {name for name in dir(spapr) if name.startswith("_") and name != "__version__"}
    assert spapr.testing.counter().rate == 1000
    with pytest.raises(AttributeError, match="no attribute 'Machin'"):
        spapr.Machin  # noqa: B018
    for made, first in ((spapr.MachineConfig, "machine"), (spapr.Machine, "config")):
        parameters = inspect.signature(made).parameters
        assert next(iter(parameters)) == first
        assert set(parameters) - {"config", "incoming"} == {field.name for field in dataclasses.fields(spapr.MachineConfig)}
    assert "machine: 'str' = 'pseries'" in str(inspect.signature(spapr.MachineConfig))


def test_vcpu_id_by_itself() -> None:
    assert [spapr.vcpu_id(n, threads=4, vsmt=8) for n in range(6)] == [0, 1, 2, 3, 8, 9]
    with pytest.raises(spapr.ConfigError, match="use vsmt=4 or more"):
        spapr.vcpu_id(0, threads=4, vsmt=2)
