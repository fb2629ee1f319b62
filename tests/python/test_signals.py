"""spapr leaves a process's signals alone: it installs no handler, and those of others go on working while translated code runs."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import tool

BOOT = """
import spapr
from spapr.testing import embedded_guest
vm = spapr.Machine(memory="256M", smp=2, kernel=embedded_guest("be"))
vm.start()
vm.console.expect("^> ")
"""

DISPOSITIONS = """
def caught():
    with open("/proc/self/status") as status:
        return {name: mask for name, mask in (line.split(":\\t") for line in status) if name in ("SigCgt", "SigIgn", "SigBlk")}
"""

HANDLER = """
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>
static char *page;
static volatile int faults;
static void opens(int sig, siginfo_t *info, void *context) {
    (void)sig, (void)context;
    if ((char *)info->si_addr < page || (char *)info->si_addr >= page + 4096) _exit(99);
    faults++;
    mprotect(page, 4096, PROT_READ | PROT_WRITE);
}
int install(void) {
    struct sigaction wanted = {0};
    wanted.sa_sigaction = opens;
    wanted.sa_flags = SA_SIGINFO;
    page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return page == MAP_FAILED || sigaction(SIGSEGV, &wanted, NULL);
}
int touch(void) {
    mprotect(page, 4096, PROT_NONE);
    *(volatile char *)page = 1;
    return faults;
}
"""


def run(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=300)


def test_no_signal_is_caught_ignored_or_blocked() -> None:
    # The C library catches a signal of its own as soon as there is a second thread.
    thread = "import threading\nthread = threading.Thread(target=int)\nthread.start()\nthread.join()\nbefore = caught()\n"
    end = "assert len(before) == 3 and caught() == before, (before, caught())\nvm.close()\nassert caught() == before"
    done = run(DISPOSITIONS + thread + BOOT + end)
    assert done.returncode == 0, done.stderr


def test_faulthandler_tells_of_a_crash_while_a_guest_runs() -> None:
    done = run("import faulthandler; faulthandler.enable()\n" + BOOT + 'vm.console.sendline("loop")\nimport ctypes; ctypes.string_at(8)')
    assert done.returncode == -signal.SIGSEGV
    assert "Fatal Python error: Segmentation fault" in done.stderr and "string_at" in done.stderr


def test_another_extensions_handler_goes_on_working(tmp_path: Path) -> None:
    compiler = tool("cc", "gcc")
    source, library = tmp_path / "handler.c", tmp_path / "handler.so"
    source.write_text(HANDLER)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source], check=True)
    use = f"import ctypes\nother = ctypes.CDLL({str(library)!r})\nassert other.install() == 0 and other.touch() == 1\n"
    end = 'vm.console.sendline("loop")\nassert [other.touch() for _ in range(100)] == list(range(2, 102))\nvm.close()\nassert other.touch() == 102\n'
    done = run(use + BOOT + end)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(shutil.which("gdb") is None, reason="gdb is not installed")
def test_a_guest_runs_under_gdb() -> None:
    script = BOOT + 'vm.console.sendline("tick")\nvm.console.expect("ok\\n> ")\nvm.close()'
    command = ["gdb", "-q", "-batch", "-ex", "run", "--args", sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert "exited normally" in done.stdout and "received signal" not in done.stdout, done.stdout
