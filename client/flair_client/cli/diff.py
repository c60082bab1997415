"""`flair diff`: compares the tensors of two commits."""

from collections.abc import Sequence

import click

from flair_client.cli.command import command
from flair_client.cli.output import table
from flair_client.cli.reading import open_reading
from flair_client.cli.session import App
from flair_client.cli.text import printable, shape_text
from flair_client.errors import UsageError
from flair_client.history.diff import Change, TensorDiff
from flair_client.porcelain.diff import Diff, diff
from flair_client.porcelain.reading import Reading

_NAME = 24
_BAR = 24
_BOTH = 32


@command(
    "diff",
    result=Diff,
    examples=(
        "flair diff",
        "flair diff HEAD~2..HEAD --stat",
        "flair diff 3f9c2a1 main --exit-code",
        "flair diff HEAD flair://localnet/CREATOR/my-fork@main",
        "flair diff ../other-clone@v1 HEAD",
    ),
)
@click.argument("a", required=False)
@click.argument("b", required=False)
@click.option("--stat", is_flag=True, help="Only how much of each tensor changed.")
@click.option(
    "--exit-code", is_flag=True, help="End with exit code 1 where they differ."
)
@click.option(
    "--repo",
    metavar="REPO",
    help="flair://… address, CREATOR/NAME; without it the workspace.",
)
def diff_command(
    app: App,
    a: str | None,
    b: str | None,
    *,
    stat: bool,
    exit_code: bool,
    repo: str | None,
) -> None:
    """Compares the tensors of two commits.

    A and B, or A..B, are branches, tags, HEAD, the first six or more digits of a
    commit, or one of them with ~N. Each of A and B may lie elsewhere: the address of
    another repository, or the path of another workspace (with a / in it), with or
    without @REF; tensors of the same name are compared. Without B: A and HEAD. Without
    both: what the newest move of the head changed. Equal tensors are counted, not
    listed.
    """
    before, after = _pair(a, b)
    if repo is not None and "/" not in repo:
        raise UsageError(f"{repo!r} is no address of a repository")
    (reading, old), (other, new) = _open(app, repo, before, after)
    found = diff(reading, old, new, after_reading=other, progress=app.progress)
    is_different = found.n_changed > 0
    app.out.result(
        found,
        lambda: diff_text(found, stat=stat),
        exit_code=1 if exit_code and is_different else 0,
        message="the two differ" if exit_code and is_different else None,
    )


def _open(
    app: App, repo: str | None, before: str, after: str
) -> list[tuple[Reading, str | None]]:
    """Where each of the two lies, and what it is called there."""
    sides = before, after
    if repo is not None and any("/" in side for side in sides):
        raise UsageError("--repo is for names without an address of their own")
    main = None
    if any("/" not in side for side in sides):
        main, _ = open_reading(app, repo)
    return [
        open_reading(app, side) if "/" in side or main is None else (main, side)
        for side in sides
    ]


def _pair(a: str | None, b: str | None) -> tuple[str, str]:
    if a is None:
        return "HEAD~1", "HEAD"
    if ".." not in a or "/" in a:
        return a, b or "HEAD"
    if b is not None:
        raise UsageError("give A and B, or A..B")
    before, _, after = a.partition("..")
    return before or "HEAD", after or "HEAD"


def diff_text(found: Diff, *, stat: bool) -> str:
    """Shows a comparison to people, in 80 columns."""
    changed = [one for one in found.tensors if one.change is not Change.SAME]
    same = len(found.tensors) - len(changed)
    head = f"{found.before.short}..{found.after.short}"
    if not changed:
        return f"{head}: the same weights, {same} tensors"
    tail = (
        f"{len(changed)} of {len(found.tensors)} tensors differ, "
        f"length {found.l2:.6g}, one value at most {found.max_abs:.6g}"
    )
    return f"{head}\n{changes_table(changed, stat=stat)}\n{tail}"


def changes_table(changed: Sequence[TensorDiff], *, stat: bool = False) -> str:
    """Shows how tensors differ to people, one in each line."""
    rows = [_stat_row(one) if stat else _row(one) for one in changed]
    names = ("tensor", "changed") if stat else _COLUMN_NAMES
    return table(names, rows)


_COLUMN_NAMES = ("tensor", "shape", "l2", "max", "cosine", "changed")


def _row(one: TensorDiff) -> tuple[str, ...]:
    name = printable(one.name, _NAME)
    if one.change is Change.RESHAPED:
        return (name, *_reshaped(one), one.change.value, "", "", "")
    if one.change is not Change.CHANGED:
        return (name, shape_text(one.shape), one.change.value, "", "", "")
    return (
        name,
        shape_text(one.shape),
        _number(one.l2),
        _number(one.max_abs),
        "-" if one.cosine is None else f"{one.cosine:.6f}",
        f"{one.share_changed or 0:.1%}",
    )


def _stat_row(one: TensorDiff) -> tuple[str, ...]:
    name = printable(one.name, _NAME + 10)
    if one.change is Change.RESHAPED:
        return (name, " ".join((one.change.value, *_reshaped(one))))
    if one.change is not Change.CHANGED:
        return (name, one.change.value)
    share = one.share_changed or 0.0
    bar = "+" * max(1, round(share * _BAR))
    return (name, f"{share:6.1%} {bar}")


def _reshaped(one: TensorDiff) -> tuple[str]:
    """Both shapes, and both dtypes where they differ."""
    old, new = shape_text(one.old_shape or ()), shape_text(one.shape)
    if one.old_dtype not in (None, one.dtype):
        old, new = f"{one.old_dtype} {old}", f"{one.dtype} {new}"
    return (printable(f"{old} → {new}", _BOTH),)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"
