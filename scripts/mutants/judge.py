"""Runs the tests against mutants, each in a process of its own, two at a time.

pytest collects the tests once; a fork per mutant exchanges the program and runs them,
likeliest first, until one fails.
"""

import contextlib
import io
import os
import resource
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from mutants.build import ROOT

TESTS: Final = ROOT / "tests" / "programs"
SURVIVED: Final = ""
# Of processor time: how long the tests take by the clock depends on what else runs.
LIMIT_S: Final = 600
Report = Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class Task:
    """A mutant to judge.

    Attributes:
        tests: files, best guess first.
        hint: the test that noticed it once.
        only: the instruction that the program is used for; empty: for all.
        refusals_last: whether tests of what passes notice it rather than refusals.
    """

    key: str
    program: Path
    tests: tuple[str, ...]
    hint: str = ""
    only: str = ""
    refusals_last: bool = False


class Judge:
    """A pytest plugin: instead of the collected tests' one run, one run per mutant."""

    def __init__(
        self,
        tasks: Sequence[Task],
        processes: int,
        report: Report,
        first: Sequence[Task],
    ) -> None:
        self.first = first
        self.tasks = tasks
        self.processes = processes
        self.report = report
        self.failed = SURVIVED

    def pytest_runtest_logreport(self, report) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
        """Called by pytest after each phase of a test."""
        if report.failed and not self.failed:
            self.failed = _short(report.nodeid)

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Called by pytest after collection; true: the tests have been run."""
        if session.testsfailed:
            raise session.Interrupted("the tests cannot be collected")
        running: dict[int, tuple[str, int]] = {}
        for task in self.first:
            child, pipe = self._fork(task, session.items)
            running[child] = task.key, pipe
            if self._wait(running) != SURVIVED:
                return True
        for task in self.tasks:
            if len(running) >= self.processes:
                self._wait(running)
            child, pipe = self._fork(task, session.items)
            running[child] = task.key, pipe
        while running:
            self._wait(running)
        return True

    def _fork(self, task: Task, items: Sequence[pytest.Item]) -> tuple[int, int]:
        reading, writing = os.pipe()
        child = os.fork()
        if child:
            os.close(writing)
            return child, reading
        resource.setrlimit(resource.RLIMIT_CPU, (LIMIT_S, LIMIT_S))
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        os.write(writing, self._run(task, items).encode())
        os._exit(0)

    def _run(self, task: Task, items: Sequence[pytest.Item]) -> str:
        chain = sys.modules["program_harness.chain"]
        chain.PROGRAM_PATH = task.program  # type: ignore[attr-defined]
        chain.ONLY_INSTRUCTION = task.only  # type: ignore[attr-defined]
        chosen = list(order_items(items, task))
        for item, following in zip(chosen, [*chosen[1:], None], strict=True):
            item.ihook.pytest_runtest_protocol(item=item, nextitem=following)
            if self.failed:
                break
        return self.failed

    def _wait(self, running: dict[int, tuple[str, int]]) -> str:
        child, status = os.wait()
        key, pipe = running.pop(child)
        with os.fdopen(pipe) as answer:
            text = answer.read()
        failed = text if status == 0 else "the tests did not end"
        self.report(key, failed)
        return failed


def judge(
    tasks: Sequence[Task],
    processes: int,
    report: Report,
    first: Sequence[Task] = (),
) -> None:
    """Tells for each task its key and the first test that fails, or SURVIVED.

    Args:
        tasks: what to judge.
        processes: how many at a time.
        report: told the key and the test.
        first: tasks to run before, one by one; the others only if all tests pass.

    Raises:
        SystemExit: the tests cannot be run.
    """
    os.chdir(ROOT)
    options = ["-q", "--no-summary", "--capture=no", "-p", "no:cacheprovider"]
    plugin = Judge(tasks, processes, report, first)
    with contextlib.redirect_stdout(io.StringIO()) as said:
        code = pytest.main([*options, str(TESTS)], plugins=[plugin])
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        sys.exit(f"mutate-program: the tests cannot be run\n{said.getvalue()}")


def order_items(items: Sequence[pytest.Item], task: Task) -> Iterator[pytest.Item]:
    """Gives the tests of a task, likeliest first: the hint, then file by file."""
    hinted = [item for item in items if _short(item.nodeid) == task.hint]
    yield from hinted
    by_file: dict[str, list[pytest.Item]] = {}
    for item in items:
        if item not in hinted:
            by_file.setdefault(item.path.name, []).append(item)
    for name in task.tests:
        of_file = by_file.get(name, [])
        if task.refusals_last:
            of_file.sort(key=lambda item: item.name.startswith("test_refuses"))
        yield from of_file


def own_tests(stem: str) -> list[str]:
    """Gives the test files of an instruction."""
    names = sorted(path.name for path in TESTS.glob(f"test_{stem}*.py"))
    own = [
        name
        for name in names
        if name.removesuffix(".py").removeprefix(f"test_{stem}")
        in ("", "_passes", "_delegated")
    ]
    return own + [name for name, stems in _TOGETHER.items() if stem in stems]


def order_tests(file: str) -> tuple[str, ...]:
    """Gives the test files for a mutation of this source, likeliest first.

    Args:
        file: source below the crate.
    """
    names = sorted(path.name for path in TESTS.glob("test_*.py"))
    stem = Path(file).parent.name if file.endswith("/mod.rs") else Path(file).stem
    own = own_tests(stem)
    chosen = [name for name in (*own, *_RELATED.get(stem, ())) if name in names]
    is_instruction = "/instructions/" in file and own
    # The tests of an instruction must notice by themselves what its file does.
    others = ["test_invariants.py", "test_pause.py", "test_one_wallet.py"]
    rest = others if is_instruction else names
    return tuple(dict.fromkeys([*chosen, *rest]))


def _short(nodeid: str) -> str:
    return nodeid.removeprefix("tests/programs/")


# Files that test several instructions.
_TOGETHER: Final = {
    "test_authority.py": ("authority_offer", "authority_accept"),
    "test_merge_votes.py": ("merge_approve", "merge_attest"),
    "test_merge_with_votes.py": ("merge_approve", "merge_attest", "merge_finalize"),
    "test_policy_strategies.py": ("policy_create",),
}
_RELATED: Final = {
    "attestation": ("test_merge_votes.py",),
    "branch": ("test_branch_advance.py", "test_branch_merge.py", "test_round_open.py"),
    "config": ("test_config_create.py", "test_config_set.py"),
    "contribution": ("test_update_push.py", "test_update_settle.py"),
    "delegation": ("test_delegation_create.py", "test_update_push.py"),
    "events": ("test_config_set.py", "test_repo_create.py"),
    "invite": ("test_invite_create.py", "test_invite_redeem.py"),
    "merge_candidate": ("test_merge_propose.py", "test_merge_votes.py"),
    "name": ("test_repo_create.py", "test_branch_create.py"),
    "policy": ("test_policy_create.py", "test_merge_finalize.py"),
    "repo": ("test_repo_create.py", "test_authority.py"),
    "role": (
        "test_role_grant.py",
        "test_branch_advance.py",
        "test_invite_create.py",
        "test_invite_redeem.py",
    ),
    "round": ("test_merge_accumulate.py", "test_round_close.py", "test_round_abort.py"),
    "strategy": ("test_policy_strategies.py",),
    "update": ("test_update_withdraw.py", "test_update_reject.py"),
}
