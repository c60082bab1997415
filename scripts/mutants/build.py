"""Builds mutants: all switched ones in one program, dropped attributes in a few.

Tests are per instruction, so one build drops one attribute of every instruction's file;
a mutant that the compiler refuses counts as noticed.
"""

import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
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
    program = WORK / f"switched-{_sources(numbered.values())}.so"
    if not program.is_file():
        crate = copy_workspace(ROOT, WORK / "switched")
        switch_on_demand(crate, numbered)
        done = _compile(crate, program)
        if done.returncode:
            sys.exit(f"mutate-program: the switches do not compile\n{done.stderr}")
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


def build_dropped(group: Sequence[Mutation]) -> dict[str, Built]:
    """Builds one program without these; gives by key what became of each.

    Whatever the compiler refuses is taken out of the group until the rest compiles.
    What became of a group is kept, and built anew only when sources change.
    """
    kept = WORK / f"dropped-{_sources(group)}.json"
    if not kept.is_file():
        built = _compile_dropped(group)
        rows = {
            key: [each.program and each.program.name, each.refusal]
            for key, each in built.items()
        }
        kept.write_text(json.dumps(rows, indent=1))
    return {
        key: Built(WORK / name if name else None, refusal)
        for key, (name, refusal) in json.loads(kept.read_text()).items()
    }


def _compile_dropped(group: Sequence[Mutation]) -> dict[str, Built]:
    left = list(group)
    built: dict[str, Built] = {}
    while left:
        program = WORK / f"dropped-{_sources(left)}.so"
        crate = copy_workspace(ROOT, WORK / "dropped")
        drop(crate, left)
        done = _compile(crate, program)
        if done.returncode == 0:
            return built | {each.key: Built(program) for each in left}
        refused = find_refusals(done.stderr)
        bad = [each for each in left if each.file in refused]
        if not bad:
            sys.exit(f"mutate-program: no mutation is to blame\n{done.stderr}")
        for each in bad:
            built[each.key] = Built(None, refused[each.file])
        left = [each for each in left if each not in bad]
    return built


def digest_files(*paths: Path) -> str:
    """Gives a name for the contents of these files, whatever their order."""
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def _sources(mutations: Iterable[Mutation]) -> str:
    """Gives a name for a build: of the sources, of what is taken, of how."""
    digest = hashlib.sha256(" ".join(each.key for each in mutations).encode())
    own = Path(__file__).with_name("instrument.py")
    crate = ROOT / "programs" / "flair"
    sources = digest_files(own, crate / "Cargo.toml", *(crate / "src").rglob("*.rs"))
    digest.update(sources.encode())
    return digest.hexdigest()[:16]


def find_refusals(text: str) -> dict[str, str]:
    """Gives the compiler's error for each file that has one.

    Warnings, which name other files too, and the places of notes blame nobody: an error
    is at its first place, and a blank line ends it.
    """
    refused: dict[str, str] = {}
    for block in re.split(r"\n\s*\n", text):
        error = re.search(r"^error.*$", block, re.MULTILINE)
        place = ERROR_PLACE.search(block, error.start()) if error else None
        if error and place:
            refused.setdefault(place[2], error[0])
    return refused


def _compile(crate: Path, program: Path) -> subprocess.CompletedProcess[str]:
    command = [
        *("nice", "-n", "5", str(ROOT / "scripts" / "build-program"), str(crate)),
        *("--no-idl", "--out", str(program), "--target-dir", str(WORK / "sbf")),
    ]
    return subprocess.run(command, capture_output=True, text=True, check=False)
