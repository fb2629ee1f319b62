"""The command line: `python -m spapr COMMAND`.

`run` takes QEMU's options (one dash or two) and few of its own; its exit status tells how the guest ended, so that a script can
act on it: the numbers are `EXIT_*` below and in the README.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

import spapr

__all__ = ["main"]

EXIT_OK = 0
"""The guest powered itself off."""
EXIT_INTERNAL = 1
"""spapr itself failed."""
EXIT_REFUSED = 2
"""A setting, a file or the host refuses; standard error says what to change."""
EXIT_PANIC = 3
"""The guest panicked."""
EXIT_TIMEOUT = 4
"""The guest still ran when --timeout was over."""
EXIT_STOPPED = 5
"""The guest stopped without powering off (a watchdog, or it suspended itself)."""
EXIT_INTERRUPTED = 130
"""Ctrl-C, or Ctrl-A x on the terminal."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command; returns the exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    command = words.pop(0) if words else "--help"
    if command in ("-h", "--help", "help"):
        print(_help())
        return EXIT_OK
    if command in ("-V", "--version", "version"):
        print(spapr.__version__)
        return EXIT_OK
    try:
        if command not in COMMANDS:
            raise spapr.config.unknown("command", command, COMMANDS)
        return COMMANDS[command](words)
    except spapr.SpaprError as error:
        print(f"spapr: {error}", file=sys.stderr)
        return EXIT_REFUSED


def _help() -> str:
    rows = [f"  {name:<10}{(command.__doc__ or '').splitlines()[0]}" for name, command in COMMANDS.items()]
    return "\n".join(["usage: python -m spapr COMMAND [OPTION…]   (COMMAND --help says more)", "", *rows])


def explain(words: Sequence[str]) -> int:
    """What the vcpu ids of a machine on a host come to, without starting anything."""
    import argparse

    parser = argparse.ArgumentParser(prog="python -m spapr explain", description=explain.__doc__, allow_abbrev=False)
    parser.add_argument("-M", "--machine", default="pseries", help="machine version")
    parser.add_argument("--host", default="tcg", help=f"host profile: {', '.join(spapr.HOSTS)}")
    parser.add_argument("--ruleset", help=f"whose rules: {', '.join(spapr.RULESETS)}; left out: the machine version's")
    parser.add_argument("--threads", type=int, default=1, help="threads per core")
    for name, text in (("vsmt", "the user's vsmt"), ("cpus", "vCPUs (two cores)"), ("max-cpus", "room for vCPUs")):
        parser.add_argument(f"--{name}", type=int, help=text)
    parser.add_argument("--ic-mode", help="xics, xive or dual")
    parser.add_argument("--cpu", help="processor model")
    parser.add_argument("--max-cpu-compat", help="newest processor that the guest may be told of")
    answer = spapr.explain(**vars(parser.parse_args(words)))
    print(answer)
    return EXIT_OK if answer.starts else EXIT_REFUSED


def run(words: Sequence[str]) -> int:
    """Boots a kernel, with its console on the terminal."""
    from spapr.run import main as run_main

    return run_main(words)


def demo(words: Sequence[str]) -> int:
    """Boots the embedded guest as different hosts would have, and shows its vcpu ids."""
    from spapr.demo import main as demo_main

    if words:
        raise spapr.ConfigError("demo", f"{words[0]!r} is not for it", "use python -m spapr demo")
    return demo_main()


def matrix(words: Sequence[str]) -> int:
    """Predicts a matrix of migrations between machines and hosts, or carries it out."""
    from spapr.matrix.cli import main as matrix_main

    return matrix_main(words)


def names(words: Sequence[str]) -> int:
    """Lists the machine versions, rulesets and host profiles."""
    print("machines:", " ".join(spapr.MACHINES))
    print("rulesets:", " ".join(spapr.RULESETS))
    for host in spapr.HOSTS.values():
        print(f"host {host.name:<26}{host.about}")
    return EXIT_OK


COMMANDS: dict[str, Callable[[Sequence[str]], int]] = {"run": run, "demo": demo, "explain": explain, "matrix": matrix, "names": names}
