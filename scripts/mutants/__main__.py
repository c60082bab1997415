"""The command `scripts/mutate-program`."""

import argparse
import json
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from mutants.build import (
    ROOT,
    WORK,
    build_dropped,
    build_switched,
    choose,
    digest_files,
    rounds,
)
from mutants.judge import SURVIVED, TESTS, Task, judge, order_tests, own_tests
from mutants.source import Mutation, find_mutations

CRATE: Final = ROOT / "programs" / "flair"
EQUIVALENT: Final = Path(__file__).with_name("equivalent.toml")
RESULTS: Final = WORK / "results.json"
REFUSED: Final = "the compiler: "
# Key of the verdict on the program without mutation.
SOUND: Final = "none"
ORIGINAL: Final = WORK / "original.so"


def main(arguments: Sequence[str]) -> int:
    """Judges the mutants; gives 1 if one survives unless it is known as equivalent."""
    options = _parser().parse_args(arguments)
    mutations = [
        each
        for each in find_mutations(CRATE)
        if (not options.only or any(part in each.file for part in options.only))
        and (not options.kind or each.kind in options.kind)
    ]
    if options.list:
        for each in mutations:
            print(f"{each.key}  {each.place}  {each.kind}: {each.text}")
        return 0
    WORK.mkdir(parents=True, exist_ok=True)
    results = Results()
    _judge(mutations, results, options.processes)
    return _report(mutations, results, as_json=options.json)


class Results:
    """Verdicts on disk, each good for as long as nothing it rests on changes.

    A test that noticed a mutant goes on noticing it while the program, the harness and
    that test's file are the same; a survivor must face any new or changed test.
    """

    def __init__(self) -> None:
        stored = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
        self.verdicts: dict[str, dict[str, str]] = stored
        self.base = digest_files(
            *(CRATE / "src").rglob("*.rs"),
            *(TESTS / "program_harness").glob("*.py"),
            *Path(__file__).parent.glob("*.py"),
            ROOT / "docs" / "protocol.md",
        )
        self.all_tests = digest_files(*TESTS.glob("test_*.py"))

    def get(self, mutation: Mutation) -> str | None:
        """The test that notices a mutation, "" where none does, None if unknown."""
        verdict = self.verdicts.get(mutation.key)
        if verdict is None or verdict["basis"] != self._basis(verdict["test"]):
            return None
        return verdict["test"]

    def is_sound(self) -> bool:
        """Whether the tests as they are have passed without any mutation."""
        verdict = self.verdicts.get(SOUND)
        return verdict is not None and verdict["basis"] == self._basis(SURVIVED)

    def hint(self, mutation: Mutation) -> str:
        """The test that noticed a mutation once, "" if unknown."""
        return self.verdicts.get(mutation.key, {}).get("test", "")

    def put(self, key: str, test: str) -> None:
        """Remembers a verdict at once, so that an interrupted run goes on."""
        self.verdicts[key] = {"test": test, "basis": self._basis(test)}
        unfinished = RESULTS.with_suffix(".new")
        unfinished.write_text(json.dumps(self.verdicts, indent=1))
        unfinished.replace(RESULTS)

    def _basis(self, test: str) -> str:
        path = TESTS / test.partition("::")[0]
        tests = digest_files(path) if test and path.is_file() else self.all_tests
        return f"{self.base} {tests}"


def _make_switched(waiting: Sequence[Mutation], results: Results) -> list[Task]:
    """Builds one program for all switched mutations; gives a task for each waiting."""
    switched = [each for each in find_mutations(CRATE) if each.is_switched]
    numbers = {each.key: number for number, each in enumerate(switched)}
    chosen = [each for each in waiting if each.is_switched]
    if not chosen:
        return []
    _progress(f"building one program with {len(switched)} switches")
    program = build_switched(dict(enumerate(switched)))
    ORIGINAL.write_bytes(program)
    folder = WORK / "programs"
    folder.mkdir(exist_ok=True)
    tasks = []
    for each in chosen:
        path = folder / f"{each.key}.so"
        path.write_bytes(choose(program, numbers[each.key]))
        tasks.append(
            Task(
                each.key,
                path,
                order_tests(each.file),
                results.hint(each),
                refusals_last=each.kind == "assignment",
            )
        )
    return tasks


def _make_dropped(waiting: Sequence[Mutation], results: Results) -> list[Task]:
    """Builds a program for each group of attributes; gives the tasks that compile."""
    tasks = []
    groups = rounds([each for each in waiting if not each.is_switched])
    for number, group in enumerate(groups, start=1):
        _progress(f"building without {len(group)} attributes ({number}/{len(groups)})")
        built = build_dropped(group)
        for each in group:
            made = built[each.key]
            if made.program is None:
                results.put(each.key, f"{REFUSED}{made.refusal}")
                continue
            # A shared program: the rest of the group must not speak for this one.
            only = Path(each.file).stem
            own = (*own_tests(only), "test_one_wallet.py", "test_pause.py")
            hint = results.hint(each)
            tasks.append(Task(each.key, made.program, own, hint, only))
    return tasks


def _judge(mutations: Sequence[Mutation], results: Results, processes: int) -> None:
    """Judges what has no verdict yet.

    Raises:
        SystemExit: a test fails without any mutation, so that it would notice all.
    """
    waiting = [each for each in mutations if results.get(each) is None]
    tasks = [*_make_switched(waiting, results), *_make_dropped(waiting, results)]
    if not tasks:
        return
    by_key = {each.key: each for each in mutations}
    unsound: list[str] = []
    count = 0

    def report(key: str, killer: str) -> None:
        nonlocal count
        if key == SOUND and killer:
            unsound.append(killer)
            return
        results.put(key, killer)
        if key != SOUND:
            count += 1
            each = by_key[key]
            verdict = killer or "SURVIVED"
            _progress(f"{count}/{len(tasks)} {each.place} {each.kind}: {verdict}")

    every = tuple(sorted(path.name for path in TESTS.glob("test_*.py")))
    is_known = results.is_sound() or not any(
        by_key[each.key].is_switched for each in tasks
    )
    first = [] if is_known else [Task(SOUND, ORIGINAL, every)]
    judge(tasks, processes, report, first)
    if unsound:
        sys.exit(f"mutate-program: without any mutation this fails: {unsound[0]}")


def _report(mutations: Sequence[Mutation], results: Results, *, as_json: bool) -> int:
    known: dict[str, str] = {
        entry["key"]: entry["reason"]
        for entry in tomllib.loads(EQUIVALENT.read_text()).get("mutant", [])
    }
    rows: list[dict[str, Any]] = []
    for each in mutations:
        killer = results.get(each) or SURVIVED
        reason = "" if killer else known.get(each.key, "")
        rows.append(
            {
                "key": each.key,
                "place": each.place,
                "kind": each.kind,
                "code": each.text,
                "test": killer,
                "equivalent": reason,
            }
        )
    survivors = [row for row in rows if not row["test"] and not row["equivalent"]]
    if as_json:
        print(json.dumps({"mutants": rows, "survivors": len(survivors)}))
    else:
        for row in rows:
            verdict = row["test"] or row["equivalent"] or "SURVIVED"
            print(
                f"{row['place']}  {row['kind']}: {row['code'][:90]}\n    -> {verdict}"
            )
        noticed = sum(1 for row in rows if row["test"])
        print(
            f"{len(rows)} mutants: {noticed} noticed, "
            f"{len(rows) - noticed - len(survivors)} equivalent, "
            f"{len(survivors)} survived"
        )
        for row in survivors:
            print(f"SURVIVED {row['key']} {row['place']} {row['kind']}: {row['code']}")
    return 1 if survivors else 0


def _progress(text: str) -> None:
    print(f"mutate-program: {text}", file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mutate-program",
        description="Removes each check of the program in turn and shows which test "
        "notices; exit code 1 if none does.",
    )
    add = parser.add_argument
    add(
        "--only",
        metavar="FILE",
        action="append",
        help="mutations of sources whose path has this in it; may be given again",
    )
    add(
        "--kind",
        action="append",
        help="check, operand, comparison, arithmetic, …; may be given again",
    )
    add("--list", action="store_true", help="show the mutations and stop")
    add("--json", action="store_true", help="one line of JSON")
    add("--processes", type=int, default=2, help="mutants judged at a time")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
