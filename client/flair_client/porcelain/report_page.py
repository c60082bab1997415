"""A report as one page of HTML: pictures, each with its numbers beside it."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from flair_client.history.diff import Change, TensorDiff
from flair_client.objects import CommitKind, Revert, RevertKind
from flair_client.page.charts import bar
from flair_client.page.history_graph import Row, history_table
from flair_client.page.html import (
    NONE,
    Html,
    code,
    details,
    escaped,
    joined,
    number,
    page,
    paragraph,
    section,
    table,
)
from flair_client.porcelain.report import Report
from flair_client.porcelain.report_history import ReportCommit, Validity
from flair_client.porcelain.report_metrics_page import metrics_section, sites_section
from flair_client.porcelain.report_rounds import Contributor
from flair_client.site_metrics import MetricEffect

_MAX_TENSORS: Final = 40
_MAX_CONTRIBUTORS: Final = 40
_MAX_NOTES: Final = 12
_WORDS: Final = {
    Validity.VERIFIED: ("good", "✓ verified"),
    Validity.SIGNED: ("unsure", "signed"),
    Validity.WRONG: ("bad", "✗ wrong"),
    Validity.UNREADABLE: ("bad", "✗ unreadable"),
}


def report_page(report: Report) -> str:
    """The page: it loads nothing, runs nothing, and shows every text as text."""
    body = joined(
        (
            _top(report),
            _history(report),
            metrics_section(report),
            _changes(report),
            _contributors(report),
            sites_section(report),
            _privacy(report),
            _notes(report),
            _foot(report),
        )
    )
    return page(f"{report.title}: report of {report.head.short}", body)


def _top(report: Report) -> Html:
    head = report.head_commit
    span = "" if report.since is None else f" since {report.since.short}"
    older = ", older ones were not looked at" if report.more else ""
    lead = f"{len(report.line)} commits{span}{older}. Made {_time(report.made_at)}."
    name = report.title.rpartition("/")[2] or report.title
    n_merged = sum(one.merged for one in report.contributors)
    n_rejected = sum(one.rejected for one in report.contributors)
    rejected = f"updates merged, {n_rejected} rejected"
    tiles = [
        (code(report.head.short), f"head, {_state_word(head)}"),
        (escaped(str(len(report.rounds))), "rounds merged"),
        (escaped(str(len(report.contributors))), "contributors"),
        (escaped(str(n_merged)), rejected if n_rejected else "updates merged"),
        *(_effect_tile(one) for one in report.effects[:2]),
    ]
    items = joined(
        Html(f"<li><b>{big}</b><span>{escaped(small, 80)}</span></li>")
        for big, small in tiles
    )
    return Html(
        f"<h1>{escaped(name, 80)}</h1><p>{code(report.title, 200)}</p>"
        f"{paragraph(lead, 'lead')}"
        f'<ul class="tiles">{items}</ul>'
    )


def _effect_tile(effect: MetricEffect) -> tuple[Html, str]:
    said = f"{effect.name}, {effect.source}"
    if effect.before is None or effect.before == effect.after:
        return number(effect.after), said
    is_better = (effect.after < effect.before) == effect.lower_is_better
    word = "better" if is_better else "worse"
    change = number(effect.after - effect.before, "+.3g")
    kind = "good" if is_better else "bad"
    big = Html(f'{number(effect.after)} <span class="{kind}">{change}</span>')
    return big, f"{said}, {word} than before"


def _state_word(head: ReportCommit | None) -> str:
    if head is None:
        return "not shown below"
    return {
        Validity.VERIFIED: "verified on this machine",
        Validity.SIGNED: "not verified on this machine",
        Validity.WRONG: "wrong",
        Validity.UNREADABLE: "cannot be read",
    }[head.validity]


def _history(report: Report) -> Html:
    rows = [_row(one) for one in report.graph]
    counts = [
        f"{report.count(kind)} {word}"
        for kind, word in (
            (Validity.VERIFIED, "verified on this machine"),
            (Validity.SIGNED, "signed by their authors but not verified here"),
            (Validity.WRONG, "wrong"),
            (Validity.UNREADABLE, "unreadable"),
        )
        if report.count(kind)
    ]
    said = (
        f"The newest {len(rows)} commits: {', '.join(counts)}. Small dots are updates "
        "that a merge holds; a ring takes something back, its dashed line says what."
    )
    graph = history_table("History: each commit, its author and its validity", rows)
    return section("History", paragraph(said, "lead"), graph)


def _row(one: ReportCommit) -> Row:
    tags = joined(
        Html(f'<span class="tag">{escaped(name, 24)}</span>') for name in one.names[:6]
    )
    kind, word = _WORDS[one.validity]
    branch = "" if one.on_line else f" on {one.branch}"
    below = one.message.split("\n", 1)[0] if one.reason is None else one.reason
    who = ""
    if one.author is not None:
        who = f"{str(one.author)[:8]}, {_time(one.time)}"
    return Row(
        key=str(one.commit),
        parents=tuple(map(str, one.parents)),
        n_side=one.n_updates,
        undoes=None if one.reverts is None else str(one.reverts.commit),
        is_hollow=one.reverts is not None or one.kind is None,
        head=Html(f"{escaped(_kind(one) + branch, 80)}{tags}"),
        below=Html(f"{code(one.commit.short)} {escaped(below, 160)}"),
        who=escaped(who),
        state=Html(f'<span class="{kind}">{escaped(word)}</span>'),
    )


def _kind(one: ReportCommit) -> str:
    round_ = "" if one.round_index is None else f", round {one.round_index}"
    if one.kind is None:
        return "commit"
    if one.n_models:
        return f"merge of {_counted(one.n_models, 'model')}"
    if one.kind is CommitKind.MERGE:
        return f"merge of {_counted(one.n_updates, 'update')}{round_}"
    if one.reverts is not None:
        return _revert_text(one.reverts)
    return f"{one.kind.value}{round_}"


def _revert_text(reverts: Revert) -> str:
    if reverts.kind is RevertKind.SINCE:
        return f"revert of all since {reverts.commit.short}"
    if reverts.kind is RevertKind.REPLAY:
        return f"replay from merge {reverts.commit.short}, without one site"
    target = reverts.update or reverts.commit
    what = "update" if reverts.update is not None else "merge"
    return f"revert of {what} {target.short}"


def _counted(n: int, word: str) -> str:
    return f"{n} {word}{'' if n == 1 else 's'}"


def _changes(report: Report) -> Html:
    diff = report.changes
    if diff is None:
        return Html("")
    changed = [one for one in diff.tensors if one.change is not Change.SAME]
    changed.sort(key=lambda one: (-(one.l2 or 0.0), one.name))
    said = (
        f"{diff.before.short} to {diff.after.short}: {len(changed)} of "
        f"{len(diff.tensors)} tensors differ, together by {diff.l2:.4g}; one value by "
        f"at most {diff.max_abs:.4g}."
    )
    largest = max((one.l2 or 0.0 for one in changed), default=0.0) or 1.0
    rows = [_tensor_row(one, largest) for one in changed[:_MAX_TENSORS]]
    shown = table(
        "How much each tensor changed, the largest change first",
        (
            "Tensor",
            "Shape",
            "Length of change",
            "Per value",
            "Cosine",
            "Values changed",
        ),
        rows,
        n_left=2,
    )
    left = _left_out(len(changed), _MAX_TENSORS, "tensors that changed less")
    title = "What the head changed" if report.since is None else "What changed"
    return section(title, paragraph(said, "lead"), shown if rows else Html(""), left)


def _tensor_row(one: TensorDiff, largest: float) -> Sequence[Html]:
    shape = " by ".join(map(str, one.shape)) or "one value"
    if one.change is not Change.CHANGED:
        word = escaped(one.change.value)
        return (code(one.name, 80), escaped(shape, 40), word, *[NONE] * 3)
    n_values = 1
    for size in one.shape:
        n_values *= size
    length = one.l2 or 0.0
    return (
        code(one.name, 80),
        escaped(shape, 40),
        Html(f"{number(length)}{bar(length / largest)}"),
        number(length / max(1, n_values) ** 0.5, ".3g"),
        number(one.cosine, ".5f"),
        Html(f"{number(one.share_changed, '.1%')}{bar(one.share_changed or 0.0)}"),
    )


def _contributors(report: Report) -> Html:
    if not report.contributors:
        return Html("")
    longest = max((one.l2 or 0.0 for one in report.contributors), default=0.0) or 1.0
    rows = [
        _contributor_row(o, longest) for o in report.contributors[:_MAX_CONTRIBUTORS]
    ]
    said = (
        f"Over {_counted(len(report.rounds), 'merge')} of these commits. The cosine "
        "tells whether an update points where its merge went: 1 the same way, 0 "
        "across, below 0 against it. A site that always points elsewhere has other "
        "data, or a mistake in it, or bad intent."
    )
    shown = table(
        "Influence of each contributor, the most weight first",
        (
            "Contributor",
            "Share of weight",
            "Mean length",
            "Cosine",
            "Merged",
            "Rejected",
        ),
        rows,
    )
    left = _left_out(len(report.contributors), _MAX_CONTRIBUTORS, "contributors")
    updates = [
        (
            code(one.commit.short),
            code(str(update.contributor)[:8]),
            number(one.round_index, "d"),
            number(update.weight, "d"),
            number(update.share, ".1%"),
            number(update.l2),
            number(update.cosine, ".3f"),
        )
        for one in report.rounds
        for update in one.updates
    ]
    kept = updates[: 8 * _MAX_CONTRIBUTORS]
    each = table(
        "Each update of these merges",
        ("Merge", "Contributor", "Round", "Weight", "Share", "Length", "Cosine"),
        kept,
        n_left=2,
    )
    every = details(f"Each update ({len(updates)})", each) if kept else Html("")
    return section(
        "Who contributed how much", paragraph(said, "lead"), shown, left, every
    )


def _contributor_row(one: Contributor, longest: float) -> Sequence[Html]:
    cosine = number(one.cosine, ".3f")
    if one.cosine is not None:
        cosine = Html(f"{cosine}{bar(one.cosine, signed=True)}")
    length = number(one.l2)
    if one.l2 is not None:
        length = Html(f"{length}{bar(one.l2 / longest)}")
    return (
        code(str(one.contributor)),
        Html(f"{number(one.share, '.1%')}{bar(one.share)}"),
        length,
        cosine,
        number(one.merged, "d"),
        number(one.rejected, "d"),
    )


def _privacy(report: Report) -> Html:
    merged = [one for one in report.contributors if one.merged]
    if not merged:
        return Html("")
    largest = max((one.epsilon or 0.0 for one in merged), default=0.0) or 1.0
    rows = []
    for one in merged[:_MAX_CONTRIBUTORS]:
        stated = f"{one.n_stated} of {one.merged}"
        lost = Html("no bound")
        if one.epsilon is not None:
            lost = Html(f"{number(one.epsilon)}{bar(one.epsilon / largest)}")
        modes = ", ".join(one.modes) or "none stated"
        rows.append(
            (
                code(str(one.contributor)),
                escaped(modes, 60),
                escaped(stated),
                lost,
                number(one.delta, ".2g"),
            )
        )
    said = (
        "What updates state of themselves, added up over the merges above: ε bounds "
        "what they tell together about one row, the smaller the less. Where an update "
        "states none there is no bound. In the mode “public” everybody can read each "
        "update."
    )
    shown = table(
        "Privacy of each contributor's updates",
        ("Contributor", "Mode", "State ε", "ε at most", "δ"),
        rows,
        n_left=2,
    )
    return section("What updates gave away", paragraph(said, "lead"), shown)


def _notes(report: Report) -> Html:
    kept = [paragraph(one[:300], "note") for one in report.notes[:_MAX_NOTES]]
    left = _left_out(len(report.notes), _MAX_NOTES, "notes; see --json")
    return section("What is missing here", *kept, left)


def _foot(report: Report) -> Html:
    said = (
        "Made by flair report from what this machine has. “Verified” is what flair "
        "pull or flair verify found right here; messages, times, metrics and privacy "
        "are their authors' claims."
    )
    ids = f"Repository {report.repo}, head {report.head}"
    return Html(
        f"<footer><p>{escaped(said)}</p><p><code>{escaped(ids)}</code></p></footer>"
    )


def _left_out(n: int, limit: int, what: str) -> Html:
    return (
        Html("") if n <= limit else paragraph(f"And {n - limit} more {what}.", "soft")
    )


def _time(unix_s: int) -> str:
    try:
        return f"{datetime.fromtimestamp(unix_s, UTC):%Y-%m-%d %H:%M} UTC"
    except (ValueError, OverflowError, OSError):
        return f"{unix_s} s"
