"""`flair commit`: signs an update or a snapshot."""

from pathlib import Path

import click

from flair_client.cli.command import command
from flair_client.cli.output import fields
from flair_client.cli.session import App
from flair_client.errors import UsageError
from flair_client.objects import Privacy
from flair_client.porcelain.commit import Committed, commit
from flair_client.porcelain.new_weights import new_weights
from flair_client.porcelain.protection import DEFAULT_DELTA, PrivacyAsked
from flair_client.porcelain.snapshot import Snapshotted, commit_snapshot


@command(
    "commit",
    result=Committed | Snapshotted,
    examples=(
        "flair commit -m 'first round at Northside'",
        "flair commit -m 'own trainer' --weights new.pt --num-samples 1200",
        "flair commit -m 'with noise' --epsilon 1",
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
    "--epsilon",
    type=click.FloatRange(min=0, min_open=True),
    metavar="E",
    help="Add noise, so that the update gives away at most this much; without it the "
    "setting privacy.epsilon.",
)
@click.option(
    "--delta",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    metavar="D",
    help="Chance that it gives away more; without it privacy.delta, or 1e-6.",
)
@click.option(
    "--source",
    metavar="NAME",
    help="Data source behind --weights, whose budget pays: a name, or its file.",
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
    epsilon: float | None,
    delta: float | None,
    source: str | None,
    snapshot: bool,
) -> None:
    """Signs an update or a snapshot.

    An update is the difference between the new weights and the base, clipped to the
    policy's norm and rounded to small integers; with --epsilon it is clipped to a
    smaller norm and gets noise, for which its data source pays when it is pushed. A
    snapshot is the owner's: weights, and the recipe of the workspace, that become the
    branch's head as they are. Both are signed and kept in the workspace; nothing leaves
    the machine before `flair push`.
    """
    if num_samples is not None and (weights is None or snapshot):
        raise UsageError("--num-samples goes with the --weights of an update")
    if snapshot and (epsilon, delta, source) != (None, None, None):
        raise UsageError("--epsilon, --delta and --source go with an update")
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
            ctx,
            workspace,
            message=message,
            weights=file,
            num_samples=num_samples,
            source=source,
            privacy=asked_privacy(app, epsilon, delta),
        )
    app.out.result(made, lambda: _update_text(made))
    if made.clipped > 1:
        app.out.note("the update was longer than it may be and was clipped")
    if made.metrics_withheld:
        names = ", ".join(made.metrics_withheld)
        why = "noise does not cover them" if made.privacy.epsilon else "the site's rule"
        app.out.note(f"metrics stay here ({why}): {names}")


def asked_privacy(
    app: App, epsilon: float | None, delta: float | None
) -> PrivacyAsked | None:
    """Gives what flags or settings ask of an update; None where nothing is asked.

    Raises:
        UsageError: a delta without an epsilon.
    """
    loss = app.settings.number("privacy.epsilon", 0.0) if epsilon is None else epsilon
    chance = app.settings.number("privacy.delta", DEFAULT_DELTA)
    if not loss:
        if delta is not None:
            raise UsageError("--delta goes with --epsilon")
        return None
    return PrivacyAsked(epsilon=loss, delta=chance if delta is None else delta)


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
    privacy = made.privacy
    if privacy.epsilon is not None:
        rows += [
            ("epsilon", f"{privacy.epsilon:.4g} at delta {privacy.delta:g}"),
            ("noise", _noise_text(privacy)),
            ("data source", made.source),
        ]
    rows += [(f"metric {name}", value) for name, value in made.metrics.items()]
    return fields(rows)


def _noise_text(privacy: Privacy) -> str | None:
    if privacy.noise_multiplier is None:
        return privacy.accountant
    return f"{privacy.noise_multiplier:.4g} times the clip"


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
