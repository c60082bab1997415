"""`flair report`: a page with pictures of a history."""

from collections.abc import Sequence
from pathlib import Path

import click

from flair_client.cli.command import command
from flair_client.cli.options import code_options, map_options
from flair_client.cli.output import fields
from flair_client.cli.reading import open_reading
from flair_client.cli.session import App
from flair_client.cli.train import data_source, map_for
from flair_client.config_file import write_text
from flair_client.errors import OutputExists, UsageError
from flair_client.porcelain.metrics_file import Evaluated, read_evaluations
from flair_client.porcelain.reading import Reading
from flair_client.porcelain.report import DEFAULT_LIMIT, Report, measure_line, report
from flair_client.porcelain.report_page import report_page

_DEFAULT_FILE = Path("flair-report.html")
_MAX_COMMITS = 10_000


@command(
    "report",
    result=Report,
    examples=(
        "flair report",
        "flair report HEAD~20..HEAD --data held-out.csv -o review.html",
        "flair report v1 --json",
        "flair report flair://localnet/CREATOR/heart-risk@main -o heart.html",
    ),
)
@click.argument("ref", required=False)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Where to; without it flair-report.html in the current folder, and with "
    "--json no file.",
)
@click.option("-f", "--force", is_flag=True, help="Replace a file that exists.")
@click.option(
    "-n",
    "--max-count",
    type=click.IntRange(1, _MAX_COMMITS),
    default=DEFAULT_LIMIT,
    metavar="N",
    help=f"Commits of the line at most; without it {DEFAULT_LIMIT}.",
)
@click.option(
    "--data",
    metavar="NAME|FILE",
    help="Measure the newest 32 commits on these rows: a data source, or a CSV, "
    "Parquet or .npz file.",
)
@map_options
@code_options
def report_command(
    app: App,
    ref: str | None,
    *,
    output: Path | None,
    force: bool,
    max_count: int,
    data: str | None,
    pairs: Sequence[str],
    map_file: Path | None,
    device: str,
    no_sandbox: bool,
) -> None:
    """Writes a page with pictures of a history.

    REF is a branch, a tag, HEAD, the first six or more digits of a commit, or one of
    them with ~N; A..B is what happened from A to B; or the address of a repository with
    or without @REF. Without it HEAD. The page is one file that loads nothing and runs
    nothing: history, metrics over the rounds, what the head changed, each contributor's
    influence, how the sites fare, privacy, and which commits were verified here.
    """
    since, chosen = _range(ref)
    reading, head = open_reading(app, chosen)
    is_here = chosen is None or "/" not in chosen
    file = output or (None if app.out.json_mode else _DEFAULT_FILE)
    if file is not None and file.exists() and not force:
        raise OutputExists(file)
    evaluations: list[Evaluated] = []
    if is_here:
        evaluations = read_evaluations(app.workspace())
    if data is not None:
        if not is_here:
            raise UsageError("--data needs a clone: go to one")
        measured = _measured(
            *(app, reading, head, since, data),
            limit=max_count,
            pairs=pairs,
            map_file=map_file,
            device=device,
            sandbox=not no_sandbox,
        )
        evaluations += measured
    found = report(
        reading,
        head,
        since=since,
        title=_title(app, chosen, is_here=is_here),
        made_at=app.context().now(),
        limit=max_count,
        evaluations=evaluations,
        progress=app.progress,
    )
    n_bytes = 0
    if file is not None:
        text = report_page(found)
        write_text(file, text)
        n_bytes = len(text.encode("utf-8"))
    app.out.result(found, lambda: _text(found, file, n_bytes))


def _range(ref: str | None) -> tuple[str | None, str | None]:
    """What stands before `..`, and the head."""
    if ref is None or ".." not in ref or "/" in ref:
        return None, ref
    since, _, head = ref.partition("..")
    return since or "HEAD", head or "HEAD"


def _title(app: App, chosen: str | None, *, is_here: bool) -> str:
    if is_here:
        return app.settings.text("workspace.repo") or Path.cwd().name
    return str(chosen)


def _measured(
    app: App,
    reading: Reading,
    head: str | None,
    since: str | None,
    data: str,
    *,
    limit: int,
    pairs: Sequence[str],
    map_file: Path | None,
    device: str,
    sandbox: bool,
) -> list[Evaluated]:
    workspace = app.workspace()
    source = data_source(app, workspace.folder, data)
    return measure_line(
        app.context(network=workspace.repo().network),
        workspace,
        source,
        reading,
        head,
        since=since,
        limit=limit,
        column_map=map_for(app, workspace.folder, source, pairs, map_file),
        device=device,
        sandbox=sandbox,
    )


def _text(found: Report, file: Path | None, n_bytes: int) -> str:
    return fields(
        (
            ("head", found.head),
            ("commits", len(found.line)),
            ("rounds", len(found.rounds)),
            ("contributors", len(found.contributors)),
            (
                "missing",
                f"{len(found.notes)} parts; see the page" if found.notes else None,
            ),
            ("file", file),
            ("bytes", n_bytes or None),
        )
    )
