"""Updates as people read them; no command itself."""

from collections.abc import Sequence

from flair_client.cli.output import fields, table
from flair_client.cli.text import printable
from flair_client.cli.types import time_text
from flair_client.history.compare_updates import TensorChange
from flair_client.porcelain.scoring import Score
from flair_client.porcelain.update import UpdateRow
from flair_client.porcelain.update_review import Past, Review, UpdateReview

_COLUMNS = 80
_MAX_TENSORS = 8
_MAX_METRICS = 6


def status_text(update: UpdateRow) -> str:
    """Shows an update's status with the reason of a rejection."""
    status = update.status.name.lower()
    reason = update.reject_reason
    return status if reason is None else f"{status}: {reason}"


def updates_table(updates: Sequence[UpdateRow]) -> str:
    """Lays out what the chain says of updates for people."""
    rows = [
        (
            item.contributor,
            item.commit_id.short,
            item.weight,
            status_text(item),
            time_text(item.pushed_at),
        )
        for item in updates
    ]
    return table(("CONTRIBUTOR", "COMMIT", "WEIGHT", "STATUS", "PUSHED"), rows)


def reviews_text(found: Review) -> str:
    """Lays out the updates of a round for people."""
    rows = [
        (
            one.commit_id.short,
            str(one.contributor)[:8],
            one.weight,
            "-" if one.samples is None else one.samples,
            "-" if one.norm_share is None else f"{one.norm_share:.1%}",
            "-" if one.cosine is None else f"{one.cosine:+.3f}",
            _past_text(one.past),
            _status(one),
        )
        for one in found.updates
    ]
    names = ("UPDATE", "BY", "WEIGHT", "SAMPLES", "NORM", "COSINE", "PAST", "STATUS")
    parts = [table(names, rows)]
    if found.head is not None:
        parts.append(_scores_text(found))
    faults = [
        printable(f"{one.commit_id.short}: {said}", _COLUMNS)
        for one in found.updates
        for said in (one.fault, _copy_text(one))
        if said is not None
    ]
    return "\n\n".join([*parts, *(["\n".join(faults)] if faults else [])])


def _copy_text(one: UpdateReview) -> str | None:
    if one.copy_of is None:
        return None
    return f"the very same values as {one.copy_of.short}, which was pushed before"


def _status(one: UpdateReview) -> str:
    if one.fault is not None:
        return f"{status_text(one)}, faulty"
    if one.copy_of is not None:
        return f"{status_text(one)}, a copy"
    seen = ", looked at" if one.is_accepted else ""
    return status_text(one) + seen


def _past_text(past: Past) -> str:
    """Merged of rounds, and rejections: `3/4`, `3/4 1 rejected`."""
    rejected = f" {past.rejected} rejected" if past.rejected else ""
    return f"{past.merged}/{past.rounds}{rejected}"


def _scores_text(found: Review) -> str:
    """Scores on the owner's rows: one line for each model."""
    lines: list[tuple[str, Score | None]] = [
        ("head", found.head),
        ("merge of all", found.merged),
    ]
    for one in found.updates:
        short = one.commit_id.short
        lines += [
            (f"head + {short}", one.alone),
            (f"merge - {short}", one.without),
        ]
    names = _metric_names([score for _, score in lines])
    rows = [
        (
            label,
            *(
                "-" if score is None else _metric(score, name)
                for name in names[:_MAX_METRICS]
            ),
        )
        for label, score in lines
    ]
    head = f"scores on {printable(found.data or '', 40)}"
    n_rows = "" if found.head is None else f", {found.head.num_samples} rows"
    titles = ("MODEL", *(printable(name, 16) for name in names[:_MAX_METRICS]))
    return f"{head}{n_rows}\n{table(titles, rows)}"


def _metric_names(scores: Sequence[Score | None]) -> list[str]:
    return sorted({n for one in scores if one is not None for n in one.metrics})


def _metric(score: Score, name: str) -> str:
    value = score.metrics.get(name)
    return "-" if value is None else f"{value:.6g}"


def review_text(found: Review, one: UpdateReview) -> str:
    """Shows one update to people."""
    stated = ", ".join(
        f"{name} {value:.6g}" for name, value in sorted(one.metrics.items())
    )
    head = fields(
        (
            ("contributor", one.contributor),
            ("round", f"{found.round_index} of {printable(found.branch, 40)}"),
            ("commit", one.commit_id),
            ("delta", one.payload_digest),
            ("weight", one.weight),
            ("samples", None if one.samples is None else f"about {one.samples}"),
            ("metrics", printable(stated, 64) if stated else None),
            ("status", _status(one)),
            ("fault", None if one.fault is None else printable(one.fault, 64)),
            ("copy", _copy_text(one)),
            ("pushed", time_text(one.pushed_at)),
            ("norm", _norm_text(found, one)),
            (
                "cosine",
                None
                if one.cosine is None
                else f"{one.cosine:+.4f} to the sum of the others",
            ),
            ("past", _past_sentence(one.past)),
        )
    )
    parts = [head]
    if one.tensors:
        parts.append(_tensors_text(one.tensors))
    if found.head is not None:
        parts.append(_scores_text(found))
    return "\n\n".join(parts)


def _norm_text(found: Review, one: UpdateReview) -> str | None:
    if one.l2 is None or one.norm_share is None:
        return None
    return f"{one.l2:.6g}, {one.norm_share:.1%} of the bound {found.norm_bound:.6g}"


def _past_sentence(past: Past) -> str:
    plural = "" if past.rounds == 1 else "s"
    return (
        f"in {past.rounds} round{plural}, {past.merged} merged, "
        f"{past.rejected} rejected"
    )


def _tensors_text(tensors: Sequence[TensorChange]) -> str:
    rows = [
        (
            printable(one.name, 40),
            f"{one.l2:.4g}",
            f"{one.share:.1%}",
            "-" if one.cosine is None else f"{one.cosine:+.3f}",
        )
        for one in tensors[:_MAX_TENSORS]
    ]
    text = table(("TENSOR", "L2", "SHARE", "COSINE"), rows)
    left = len(tensors) - _MAX_TENSORS
    return text if left <= 0 else f"{text}\nand {left} more: see --json"
