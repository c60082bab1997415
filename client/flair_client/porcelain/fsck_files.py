"""The files that a workspace keeps about itself, read as the commands read them.

Part of `fsck`, no verb itself.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Final

from flair_client.config_file import read_config
from flair_client.context import Context
from flair_client.errors import FlairError
from flair_client.ids import CommitId
from flair_client.porcelain.commit import PENDING
from flair_client.porcelain.push import HELD, held_commits
from flair_client.porcelain.reachable import Kind, Need, commit_need
from flair_client.porcelain.refs import known_heads, known_tags, verified_commits
from flair_client.porcelain.revert import MARKER as REVERT
from flair_client.porcelain.terms import saved_terms
from flair_client.porcelain.trust import read_trust
from flair_client.workspace import Head, Workspace

_ROOT: Final = "root"
_DEFAULT_BRANCH: Final = "main"


class FaultKind(StrEnum):
    """What is wrong."""

    CORRUPT = "corrupt"
    MISSING = "missing"
    MALFORMED = "malformed"
    DAMAGED = "damaged"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong.

    Attributes:
        what: a block with what it is for, or a file of the workspace.
        repaired: whether that is over.
    """

    what: str
    kind: FaultKind
    reason: str
    repaired: bool


def check_files(ctx: Context, workspace: Workspace, *, repair: bool) -> list[Fault]:
    """Gives the files that no command can read.

    A repair moves them aside as `NAME.damaged`: the next pull, trust, training or
    commit writes them anew. HEAD then stands on the branch and on no commit.
    """
    faults = []
    for path, read in _readers(ctx, workspace).items():
        reason = _failure(read)
        if reason is not None:
            if repair:
                path.replace(path.with_name(f"{path.name}.damaged"))
            what = str(path.relative_to(workspace.folder))
            faults.append(Fault(what, FaultKind.DAMAGED, reason, repair))
            if repair and path.name == "HEAD":
                workspace.set_head(Head(_bound_branch(workspace), None))
    return faults


def kept_commits(ctx: Context, workspace: Workspace) -> list[Need]:
    """Where the workspace's history begins: HEAD, branches, what is in progress.

    Files that cannot be read give nothing; `check_files` tells of them.
    """
    needs: list[Need] = []
    for find in (_head, _branches, _in_progress, _held, partial(_trusted, ctx)):
        try:
            needs += find(workspace)
        except _FAILURES:
            continue
    return needs


def _head(workspace: Workspace) -> Iterator[Need]:
    head = workspace.head()
    if head is not None and head.commit is not None:
        yield commit_need(head.commit, f"HEAD, commit {head.commit.short}")


def _branches(workspace: Workspace) -> Iterator[Need]:
    for name, head in known_heads(workspace).items():
        yield commit_need(head, f"branch {name}, commit {head.short}")


def _in_progress(workspace: Workspace) -> Iterator[Need]:
    for marker, what in (
        (PENDING, "not pushed yet"),
        (_ROOT, "root"),
        (REVERT, "revert"),
    ):
        commit_id = _commit_in(workspace, marker)
        if commit_id is not None:
            yield commit_need(commit_id, f"{what}, commit {commit_id.short}")


def _held(workspace: Workspace) -> Iterator[Need]:
    for commit_id in held_commits(workspace):
        yield commit_need(commit_id, f"held back, commit {commit_id.short}")


def _trusted(ctx: Context, workspace: Workspace) -> Iterator[Need]:
    trusted = read_trust(ctx, workspace)
    if trusted is not None:
        yield Need(trusted.recipe, Kind.RECIPE, "the recipe that was accepted")


def _readers(ctx: Context, workspace: Workspace) -> Mapping[Path, Callable[[], object]]:
    folder = workspace.state_folder
    state = folder / "state"
    readers: dict[Path, Callable[[], object]] = {
        path: partial(workspace.marker, path.stem)
        for path in sorted(state.glob("*.toml"))
    }
    readers |= {
        state / "heads.toml": partial(known_heads, workspace),
        state / "tags.toml": partial(known_tags, workspace),
        state / "verified.toml": partial(verified_commits, workspace),
        state / "terms.toml": partial(saved_terms, ctx, workspace),
        state / f"{PENDING}.toml": partial(_commit_in, workspace, PENDING),
        state / f"{_ROOT}.toml": partial(_commit_in, workspace, _ROOT),
        state / f"{REVERT}.toml": partial(_commit_in, workspace, REVERT),
        state / f"{HELD}.toml": partial(held_commits, workspace),
        workspace.trust_path: partial(read_trust, ctx, workspace),
        folder / "HEAD": workspace.head,
    }
    return {path: read for path, read in readers.items() if path.exists()}


# A table may lack a field, or hold a number where a text belongs.
_FAILURES = (FlairError, KeyError, TypeError, ValueError, AttributeError)


def _failure(read: Callable[[], object]) -> str | None:
    try:
        read()
    except FlairError as exc:
        return str(exc)
    except _FAILURES as exc:
        return f"{type(exc).__name__}: {exc}"
    return None


def _commit_in(workspace: Workspace, marker: str) -> CommitId | None:
    table = workspace.marker(marker)
    return None if table is None else CommitId.parse(str(table["commit"]))


def _bound_branch(workspace: Workspace) -> str:
    config = read_config(workspace.state_folder / "config")
    return str(config.get("workspace.branch", _DEFAULT_BRANCH))
