"""What `flair aggregator status` shows to people."""

from flair_aggregator.outbox import Intent
from flair_aggregator.status import AggregatorStatus, BranchStatus
from flair_client.cli.output import fields, table
from flair_client.cli.types import time_text


def status_text(result: AggregatorStatus) -> str:
    """Shows branches and the last steps."""
    parts = [_branch_text(one) for one in result.branches]
    if result.steps:
        names = {one.address: one.branch for one in result.branches}
        rows = [_step_row(step, names[step.branch]) for step in result.steps]
        header = ("WHEN", "BRANCH", "ROUND", "STEP", "SUBJECT", "OUTCOME")
        parts.append(table(header, rows))
    return "\n\n".join(parts)


def _branch_text(one: BranchStatus) -> str:
    live = "none"
    if one.round_index is not None:
        live = (
            f"{one.round_index}, {one.state}, {one.n_accepted} updates, "
            f"{one.n_accumulated} added up"
        )
    found = None
    if one.found and one.found_at is not None:
        found = f"{'; '.join(one.found)} ({time_text(one.found_at)})"
    return fields(
        (
            ("branch", f"{one.repo}@{one.branch}"),
            ("round", live),
            ("deadline", None if one.deadline is None else time_text(one.deadline)),
            ("next", ", ".join(one.next_steps) or None),
            ("waits", "; ".join(one.waits) or None),
            ("last look", found),
        )
    )


def _step_row(step: Intent, branch: str) -> tuple[object, ...]:
    return (
        time_text(step.intended_at),
        branch,
        step.round_index,
        step.step,
        step.subject[:16],
        step.outcome or "not known: it was interrupted",
    )
