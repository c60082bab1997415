"""Runs the tests against mutants, each in a process of its own, two at a time.

pytest and the harness are loaded once; a fork per mutant patches the program's bytes.
"""

import contextlib
import io
import os
import signal
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from mutants.build import ROOT

TESTS: Final = ROOT / "tests" / "programs"
SURVIVED: Final = ""
LIMIT_S: Final = 600


@dataclass(frozen=True, slots=True)
class Task:
    """A mutant to judge.

    Attributes:
        tests: files, best guess first.
        only: the instruction that the program is used for; empty: for all.
    """

    key: str
    program: Path
    tests: tuple[str, ...]
    only: str = ""


class FirstFailure:
    """A pytest plugin that remembers the first test that failed."""

    def __init__(self) -> None:
        self.name = SURVIVED

    def pytest_runtest_logreport(self, report) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
        """Called by pytest after each phase of a test."""
        if report.failed and not self.name:
            self.name = report.nodeid.removeprefix("tests/programs/")


def judge(tasks: Iterable[Task], processes: int) -> Iterator[tuple[str, str]]:
    """Gives for each task its key and the first test that fails, or SURVIVED."""
    with ThreadPoolExecutor(processes) as pool:
        waiting = {pool.submit(_in_fork, task): task for task in tasks}
        for done in as_completed(waiting):
            yield waiting[done].key, done.result()


def _in_fork(task: Task) -> str:
    """Runs the tests in a child; its answer comes through a pipe."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        signal.alarm(LIMIT_S)
        with os.fdopen(writing, "w") as pipe:
            pipe.write(_run(task))
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        answer = pipe.read()
    _, status = os.waitpid(child, 0)
    return answer if status == 0 else "the tests did not end"


def _run(task: Task) -> str:
    """Runs test files one after another until one fails."""
    os.environ["FLAIR_TEST_PROGRAM"] = str(task.program)
    os.environ["FLAIR_TEST_ONLY"] = task.only
    os.chdir(ROOT)
    first = FirstFailure()
    for name in task.tests:
        with (
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            code = pytest.main(
                ["-x", "-q", "-p", "no:cacheprovider", str(TESTS / name)],
                plugins=[first],
            )
        if first.name:
            return first.name
        # A hint may name a test that is no more.
        if code != 0 and "::" not in name:
            return f"{name} could not be run"
    return SURVIVED


def order_tests(file: str, hint: str) -> tuple[str, ...]:
    """Gives the test files for a mutation of this source, likeliest first.

    Args:
        file: source below the crate.
        hint: test that noticed the mutation before, or nothing.
    """
    names = sorted(path.name for path in TESTS.glob("test_*.py"))
    own = f"test_{Path(file).stem}.py"
    guesses = [own, *_RELATED.get(Path(file).stem, ())]
    chosen = [hint] if hint.partition("::")[0] in names else []
    chosen += [name for name in dict.fromkeys(guesses) if name in names]
    is_instruction = "/instructions/" in file and own in names
    # The tests of an instruction must notice by themselves what its file does.
    others = ["test_invariants.py", "test_pause.py", "test_one_wallet.py"]
    rest = others if is_instruction else names
    return tuple(dict.fromkeys([*chosen, *rest]))


_RELATED: Final = {
    "branch": ("test_branch_advance.py", "test_round_open.py"),
    "config": ("test_config_create.py", "test_config_set.py"),
    "contribution": ("test_update_push.py", "test_update_settle.py"),
    "events": ("test_config_set.py", "test_repo_create.py"),
    "merge_candidate": ("test_merge_propose.py",),
    "name": ("test_repo_create.py", "test_branch_create.py"),
    "policy": ("test_policy_create.py", "test_merge_finalize.py"),
    "repo": ("test_repo_create.py",),
    "role": ("test_role_grant.py", "test_branch_advance.py"),
    "round": ("test_merge_accumulate.py", "test_round_close.py", "test_round_abort.py"),
    "update": ("test_update_withdraw.py", "test_update_reject.py"),
}
