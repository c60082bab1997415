"""`flair commit`: signs an update or a snapshot."""

from pathlib import Path

import click

from flair_client.cli.command import command
from flair_client.cli.output import fields
from flair_client.cli.session import App
from flair_client.errors import UsageError
from flair_client.porcelain.commit import Committed, commit
from flair_client.porcelain.new_weights import new_weights
from flair_client.porcelain.snapshot import Snapshotted, commit_snapshot


@command(
    "commit",
    result=Committed | Snapshotted,
    examples=(
        "flair commit -m 'first round at Northside'",
        "flair commit -m 'own trainer' --weights new.pt --num-samples 1200",
        "flair commit --snapshot -m 'wider ranges for age'",
        "flair commit --snapshot --weights tuned.safetensors -m 'tuned by hand'",
    ),
)
@click.option(
    "-m", "--message", required=True, metavar="TEXT", help="What was done; public."
)
@click.option(
    "--weights",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="New weights from elsewhere (.safetensors, .npz, or a PyTorch state dict), "
    "instead of those of `flair train`, or for a snapshot of weights.safetensors.",
)
@click.option(
    "--num-samples",
    type=click.IntRange(min=1),
    metavar="N",
    help="Samples behind --weights; only the power of two below leaves.",
)
@click.option(
    "--snapshot",
    is_flag=True,
    help="Sign weights and recipe as they are, as the branch's next head: the owner's.",
)
def commit_command(
    app: App,
    *,
    message: str,
    weights: Path | None,
    num_samples: int | None,
    snapshot: bool,
) -> None:
    """Signs an update or a snapshot.

    An update is the difference between the new weights and the base, clipped to the
    policy's norm and rounded to small integers. A snapshot is the owner's: weights, and
    the recipe of the workspace, that become the branch's head as they are. Both are
    signed and kept in the workspace; nothing leaves the machine before `flair push`.
    """
    if num_samples is not None and (weights is None or snapshot):
        raise UsageError("--num-samples goes with the --weights of an update")
    workspace = app.workspace()
    ctx = app.context(signer=True, network=workspace.repo().network)
    if snapshot:
        with new_weights(ctx, workspace, weights) as file:
            taken = commit_snapshot(ctx, workspace, message=message, weights=file)
        app.out.result(taken, lambda: _snapshot_text(taken))
        if taken.live_round is not None:
            app.out.warn(
                f"round {taken.live_round} is in progress; "
                "`flair push` ends it without a merge"
            )
        return
    with new_weights(ctx, workspace, weights) as file:
        made = commit(
            ctx, workspace, message=message, weights=file, num_samples=num_samples
        )
    app.out.result(made, lambda: _update_text(made))
    if made.clipped > 1:
        app.out.note("the update was longer than the policy allows and was clipped")


def _update_text(made: Committed) -> str:
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


def _snapshot_text(taken: Snapshotted) -> str:
    return fields(
        (
            ("commit", taken.commit),
            ("branch", taken.branch),
            ("base", taken.base),
            ("changes", f"{taken.n_changed} of {taken.n_tensors} tensors"),
            ("recipe", "changed" if taken.recipe_changed else "as before"),
            ("leaves with push", f"{taken.n_bytes} bytes in {taken.n_blocks} blocks"),
        )
    )
