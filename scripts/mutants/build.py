"""Builds mutants: all switched ones in one program, dropped attributes in a few.

Tests are per instruction, so one build drops one attribute of every instruction's file;
a mutant that the compiler refuses counts as noticed.
"""

import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mutants.instrument import (
    MAGIC,
    NUMBER_SIZE,
    copy_workspace,
    drop,
    switch_on_demand,
)
from mutants.source import Mutation

ROOT: Final = Path(__file__).resolve().parents[2]
WORK: Final = ROOT / "target" / "mutants"
ERROR_PLACE: Final = re.compile(r"--> (\S*programs/flair/)?(src/[\w/]+\.rs):(\d+)")


@dataclass(frozen=True, slots=True)
class Built:
    """A mutant's program, or the compiler's refusal."""

    program: Path | None
    refusal: str = ""


def build_switched(numbered: Mapping[int, Mutation]) -> bytes:
    """Builds the program in which any of these can be switched on.

    Raises:
        SystemExit: it does not compile, which is a fault of this script.
    """
    crate = copy_workspace(ROOT, WORK / "switched")
    switch_on_demand(crate, numbered)
    program = WORK / "switched.so"
    done = _compile(crate, program)
    if done.returncode:
        sys.exit(
            f"mutate-program: the switched program does not compile\n{done.stderr}"
        )
    data = program.read_bytes()
    if data.count(MAGIC) != 1:
        sys.exit(f"mutate-program: found {data.count(MAGIC)} places for the number")
    return data


def choose(program: bytes, number: int) -> bytes:
    """Switches a mutation on."""
    place = program.index(MAGIC) + len(MAGIC) - NUMBER_SIZE
    raw = number.to_bytes(NUMBER_SIZE, "little")
    return program[:place] + raw + program[place + NUMBER_SIZE :]


def rounds(mutations: Sequence[Mutation]) -> list[list[Mutation]]:
    """Groups mutations so that each group has at most one of every file."""
    by_file: dict[str, list[Mutation]] = {}
    for mutation in mutations:
        by_file.setdefault(mutation.file, []).append(mutation)
    longest = max(map(len, by_file.values()), default=0)
    return [
        [group[at] for group in by_file.values() if at < len(group)]
        for at in range(longest)
    ]


def build_dropped(group: Sequence[Mutation], name: str) -> dict[str, Built]:
    """Builds one program without these; gives by key what became of each.

    Whatever the compiler refuses is taken out of the group until the rest compiles.
    """
    left, built = list(group), {}
    while left:
        crate = copy_workspace(ROOT, WORK / "dropped")
        drop(crate, left)
        program = WORK / f"{name}.so"
        done = _compile(crate, program)
        if done.returncode == 0:
            return built | {each.key: Built(program) for each in left}
        refused = {match[2] for match in ERROR_PLACE.finditer(done.stderr)}
        bad = [each for each in left if each.file in refused] or left
        for each in bad:
            built[each.key] = Built(None, _first_error(done.stderr))
        left = [each for each in left if each not in bad]
    return built


def _first_error(text: str) -> str:
    found = re.search(r"^error.*$", text, re.MULTILINE)
    return found[0] if found else "it does not compile"


def _compile(crate: Path, program: Path) -> subprocess.CompletedProcess[str]:
    command = [
        *("nice", "-n", "5", str(ROOT / "scripts" / "build-program"), str(crate)),
        *("--no-idl", "--out", str(program), "--target-dir", str(WORK / "sbf")),
    ]
    return subprocess.run(command, capture_output=True, text=True, check=False)
