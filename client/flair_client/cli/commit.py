"""`flair commit`: signs an update or a snapshot."""

from pathlib import Path

import click

from flair_client.cli.command import command
from flair_client.cli.output import fields
from flair_client.cli.session import App
from flair_client.errors import UsageError
from flair_client.porcelain.commit import Committed, commit


@command(
    "commit",
    result=Committed,
    examples=(
        "flair commit -m 'first round at Northside'",
        "flair commit -m 'own trainer' --weights new.safetensors --num-samples 1200",
    ),
)
@click.option(
    "-m", "--message", required=True, metavar="TEXT", help="What was done; public."
)
@click.option(
    "--weights",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="New weights from elsewhere (safetensors), instead of those of `flair train`.",
)
@click.option(
    "--num-samples",
    type=click.IntRange(min=1),
    metavar="N",
    help="Samples behind --weights; only the power of two below leaves.",
)
def commit_command(
    app: App, *, message: str, weights: Path | None, num_samples: int | None
) -> None:
    """Signs an update or a snapshot.

    The update is the difference between the new weights and the base, clipped to the
    policy's norm and rounded to small integers. It is signed and kept in the workspace;
    nothing leaves the machine before `flair push`.
    """
    if weights is None and num_samples is not None:
        raise UsageError("--num-samples goes with --weights")
    workspace = app.workspace()
    ctx = app.context(signer=True, network=workspace.repo().network)
    made = commit(
        ctx, workspace, message=message, weights=weights, num_samples=num_samples
    )

    def text() -> str:
        rows: list[tuple[str, object]] = [
            ("commit", made.commit),
            ("branch", f"{made.branch}, round {made.round_index}"),
            ("base", made.base),
            ("weight", made.weight),
            ("leaves with push", f"{made.n_bytes} bytes in {made.n_blocks} blocks"),
            ("samples, at least", made.samples_bucket),
            ("norm by bound", f"{made.clipped:.3g}"),
            ("rounded to zero", f"{made.zero_share:.1%}"),
        ]
        rows += [(f"metric {name}", value) for name, value in made.metrics.items()]
        return fields(rows)

    app.out.result(made, text)
    if made.clipped > 1:
        app.out.note("the update was longer than the policy allows and was clipped")
