"""`flair show`: shows a commit."""

import click

from flair_client.cli.command import command
from flair_client.cli.log import reverts_text
from flair_client.cli.output import fields, table
from flair_client.cli.reading import open_reading
from flair_client.cli.session import App
from flair_client.cli.show_metrics import metrics_text
from flair_client.cli.text import printable, shape_text, wrapped
from flair_client.cli.types import time_text
from flair_client.ids import CommitId
from flair_client.merging.spec import number_text
from flair_client.objects import CommitKind, Privacy, Training
from flair_client.porcelain.metrics_file import read_evaluations
from flair_client.porcelain.show import Shown, ShownDelta, ShownWeights, show
from flair_client.porcelain.show_metrics import ShownWithMetrics, show_with_metrics

_COLUMNS = 80
_NAME = 24
_MAX_REPORT_ROWS = 64
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


@command(
    "show",
    result=ShownWithMetrics,
    examples=(
        "flair show",
        "flair show HEAD~1",
        "flair show 3f9c2a1 --recompute",
        "flair show flair://localnet/CREATOR/heart-risk@3f9c2a1",
    ),
)
@click.argument("ref", required=False)
@click.option(
    "--recompute",
    is_flag=True,
    help="Make a merge of models again from its models, and compare.",
)
def show_command(app: App, ref: str | None, *, recompute: bool) -> None:
    """Shows a commit.

    REF is a branch, a tag, HEAD, the first six or more digits of a commit, or one of
    them with ~N; or a repository's address with @REF. Without it HEAD. The
    signature is checked; whether the commit belongs where it is, is for `flair
    verify`.
    """
    reading, chosen = open_reading(app, ref)
    shown = show(reading, chosen, recompute=recompute, progress=app.progress)
    is_here = ref is None or "/" not in ref
    evaluations = read_evaluations(app.workspace()) if is_here else []
    found = show_with_metrics(reading.store, shown, evaluations)
    app.out.result(found, lambda: shown_text(found))


def shown_text(found: Shown) -> str:
    """Shows a commit to people, in 80 columns."""
    parts = [
        f"commit {found.commit}",
        fields(_head_rows(found)),
        "\n".join(wrapped(found.message, _COLUMNS, "    ")),
    ]
    if isinstance(found, ShownWithMetrics):
        parts.append(metrics_text(found))
    if found.weights is not None:
        parts.append(weights_text(found.weights))
    if found.delta is not None:
        parts.append(delta_text(found.delta))
    if found.report is not None:
        parts.append(_report_text(found))
    return "\n\n".join(part for part in parts if part)


def _head_rows(found: Shown) -> list[tuple[str, object]]:
    parents = [one.short for one in found.parents]
    metrics = ", ".join(f"{name} {value:.6g}" for name, value in found.metrics.items())
    events = found.events
    return [
        ("names", _in_lines([", ".join(found.names)]) if found.names else None),
        ("kind", _kind_text(found)),
        ("branch", printable(found.branch, 60)),
        ("parents", _in_lines(parents) if parents else None),
        ("author", found.author),
        ("signature", "is the author's"),
        ("verified", _verified_text(found)),
        ("date", time_text(found.time)),
        ("policy", None if found.policy is None else str(found.policy)[:12]),
        ("strategy", None if _models(found) else _strategy_text(found)),
        *_merge_rows(found),
        ("training", _training_text(found.training)),
        ("metrics", _in_lines([metrics]) if metrics else None),
        ("privacy", _privacy_text(found.privacy)),
        ("events", events and f"{events.first_seq} to {events.last_seq}"),
        (
            "recipe",
            ", ".join(printable(f"{one.path} ({one.size} B)") for one in found.recipe)
            or None,
        ),
        ("size", f"{found.n_bytes} bytes, without what it names"),
    ]


def _verified_text(found: Shown) -> str | None:
    if found.kind is CommitKind.UPDATE:
        # It is verified with the merge that holds it.
        return None
    return "on this machine" if found.verified else "not on this machine"


def _kind_text(found: Shown) -> str:
    round_ = "" if found.round_index is None else f", round {found.round_index}"
    if _models(found):
        n_models = len(_models(found))
        return f"merge of {n_models} model{'' if n_models == 1 else 's'}"
    if found.kind is CommitKind.MERGE:
        n_updates = len(found.parents) - 1
        return f"merge of {n_updates} update{'' if n_updates == 1 else 's'}{round_}"
    if found.reverts is not None:
        return f"revert of {reverts_text(found.reverts)}"
    return f"{found.kind.value}{round_}"


def _in_lines(words: list[str]) -> str:
    """Words side by side, in as many lines as needed, under each other."""
    lines = wrapped(" ".join(words), _COLUMNS - 11)
    return f"\n{' ' * 11}".join(lines)


def _models(found: Shown) -> tuple[CommitId, ...]:
    """The models that it merges, in the order of its record; none for other commits."""
    strategy = found.strategy
    if strategy is None or found.round_index is not None:
        return ()
    has_head = len(strategy.weights) == len(found.parents)
    return found.parents if has_head else found.parents[1:]


def _merge_rows(found: Shown) -> list[tuple[str, object]]:
    strategy, models = found.strategy, _models(found)
    if strategy is None or not models:
        return []
    params = [
        f"{name.removesuffix('_e9')} {number_text(value)}"
        if name.endswith("_e9")
        else f"{name} {value}"
        for name, value in strategy.params.items()
    ]
    weighted = [
        f"{model.short} times {number_text(weight)}"
        for model, weight in zip(models, strategy.weights, strict=True)
    ]
    gap = f"\n{' ' * 11}"
    return [
        ("method", printable(", ".join((strategy.id, *params)), 68)),
        ("models", gap.join(weighted)),
        ("base", None if strategy.base is None else strategy.base.short),
        ("checked", "made again here, the same" if found.recomputed else None),
    ]


def _strategy_text(found: Shown) -> str | None:
    strategy = found.strategy
    if strategy is None:
        return None
    params = ", ".join(f"{name} {value}" for name, value in strategy.params.items())
    return printable(f"{strategy.id}: {params}", 68)


def _training_text(training: Training | None) -> str | None:
    if training is None:
        return None
    seed = "" if training.seed is None else f", seed {training.seed}"
    text = (
        f"{training.epochs} epochs on about {training.samples_bucket} samples, "
        f"{training.framework}{seed}"
    )
    return printable(text, 68)


def _privacy_text(privacy: Privacy | None) -> str | None:
    if privacy is None:
        return None
    parts = [f"mode {privacy.mode}"]
    if privacy.clip is not None:
        parts.append(f"clipped to {privacy.clip:.6g}")
    if privacy.noise_multiplier is not None:
        parts.append(f"noise {privacy.noise_multiplier:.6g}")
    if privacy.epsilon is not None:
        parts.append(f"epsilon {privacy.epsilon:.6g} at delta {privacy.delta or 0:.3g}")
    else:
        parts.append("no privacy loss stated")
    return printable(", ".join(parts), 68)


def weights_text(weights: ShownWeights) -> str:
    """Shows a state's tensors to people."""
    rows = [
        (
            printable(one.name, _NAME),
            one.dtype.value,
            shape_text(one.shape),
            one.role.value,
            one.encoding.value,
            size_text(one.n_bytes),
        )
        for one in weights.tensors
    ]
    head = (
        f"weights {str(weights.digest)[:12]}: {len(weights.tensors)} tensors, "
        f"{weights.n_values} values, {size_text(weights.n_bytes)}, "
        f"{weights.n_blocks} blocks"
    )
    return f"{head}\n" + table(
        ("tensor", "dtype", "shape", "role", "encoding", "size"), rows
    )


def delta_text(delta: ShownDelta) -> str:
    """Shows what an update adds to people."""
    rows = [
        (
            printable(one.name, _NAME),
            shape_text(one.shape),
            "changed" if one.n_blocks else "unchanged",
        )
        for one in delta.tensors
    ]
    head = (
        f"adds length {delta.l2:.6g} in {delta.bits} bits of 2^{delta.scale_exp}, "
        f"{delta.n_blocks} blocks"
    )
    return f"{head}\n" + table(("tensor", "shape", ""), rows)


def _report_text(found: Shown) -> str:
    """The report's table, where it has the form of Flair's own aggregator."""
    report = found.report or {}
    updates = report.get("updates")
    if not isinstance(updates, list):
        return "report: of another form; see --json"
    rows = []
    for one in updates[:_MAX_REPORT_ROWS]:
        if not isinstance(one, dict):
            return "report: of another form; see --json"
        rows.append(
            (
                printable(str(one.get("commit", ""))[:12], 12),
                printable(str(one.get("contributor", "")), 44),
                printable(str(one.get("weight", "")), 6),
                _norm_text(one),
            )
        )
    return "report\n" + table(("update", "contributor", "weight", "norm/bound"), rows)


def _norm_text(row: dict[str, object]) -> str:
    try:
        norm_sq = int(str(row["norm_sq"]))
        bound_sq = int(str(row["norm_bound_sq"]))
        return f"{(norm_sq / bound_sq) ** 0.5:.1%}"
    except (KeyError, ValueError, ArithmeticError):
        return ""


def size_text(n_bytes: int) -> str:
    """Shows bytes to people: `1.5 MiB`."""
    size = float(n_bytes)
    for unit in _UNITS:
        if size < 1024 or unit == _UNITS[-1]:
            return f"{n_bytes} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    raise AssertionError
