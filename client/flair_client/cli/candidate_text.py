"""Proposed merges and votes as people read them; no command itself."""

from flair_client.cli.diff import changes_table
from flair_client.cli.output import fields, table
from flair_client.cli.text import printable
from flair_client.cli.types import time_text
from flair_client.cli.update_text import reviews_text
from flair_client.history.diff import Change
from flair_client.porcelain.candidate import Candidate, CandidateList, CandidateShown
from flair_client.porcelain.vote import Vote, VoteKind, VoteOutcome


def candidates_text(found: CandidateList, now: int) -> str:
    """Lays out the candidates of a round for people."""
    rows = [
        (
            one.commit.short,
            str(one.proposer)[:8],
            time_text(one.proposed_at),
            _of(int(one.approved), found.approvals_needed),
            _of(len(one.attesters), found.attestations_needed),
            missing_text(one, found.approvals_needed, found.attestations_needed, now)
            or "nothing",
        )
        for one in found.candidates
    ]
    names = ("CANDIDATE", "BY", "PROPOSED", "APPROVED", "ATTESTED", "WAITS FOR")
    lines = [table(names, rows)]
    if found.abort_after is not None:
        lines.append(
            f"round {found.round_index} of {printable(found.branch, 40)} is given up "
            f"after {time_text(found.abort_after)}"
        )
    return "\n".join(lines)


def _of(count: int, needed: int) -> str:
    return f"{count} of {needed}" if needed else "-" if not count else str(count)


def missing_text(
    one: Candidate, approvals_needed: int, attestations_needed: int, now: int
) -> str:
    """Says what a candidate waits for; empty where nothing keeps it."""
    if one.is_void:
        return "nothing more: the owner changed"
    parts = []
    if approvals_needed and not one.approved:
        parts.append("the owner's approval")
    left = attestations_needed - len(one.attesters)
    if left > 0:
        parts.append(f"{left} attestation{'' if left == 1 else 's'}")
    if now < one.ready_at:
        parts.append(f"its challenge time, until {time_text(one.ready_at)}")
    return ", ".join(parts)


def waits_text(found: CandidateShown, now: int) -> str:
    """Says what a candidate that is shown waits for."""
    return missing_text(
        found.candidate, found.approvals_needed, found.attestations_needed, now
    )


def candidate_text(found: CandidateShown, now: int) -> str:
    """Shows a candidate that was made again to people, in 80 columns."""
    one, change = found.candidate, found.change
    params = ", ".join(f"{name} {value}" for name, value in found.params.items())
    parts = [
        fields(
            (
                ("candidate", one.commit),
                ("round", f"{found.round_index} of {printable(found.branch, 40)}"),
                ("message", printable(found.message, 64)),
                ("proposed by", one.proposer),
                ("proposed", time_text(one.proposed_at)),
                ("head", found.head.short),
                ("strategy", printable(found.strategy, 64)),
                ("params", printable(params, 64) or None),
                ("made again", "here, the same"),
                ("weights", found.weights_digest),
                ("updates' sum", found.update_root),
                ("changes", f"{change.n_changed} of {change.n_tensors} tensors"),
                ("length", f"{change.l2:.6g}, one value at most {change.max_abs:.6g}"),
                ("approved", _of(int(one.approved), found.approvals_needed)),
                ("attested", _of(len(one.attesters), found.attestations_needed)),
                ("attested by", ", ".join(map(str, one.attesters)) or None),
                ("waits for", waits_text(found, now) or "nothing"),
                ("given up after", time_text(found.abort_after)),
            )
        )
    ]
    if found.review is None:
        rows = [
            (item.commit.short, item.contributor, item.weight) for item in found.updates
        ]
        parts.append(table(("UPDATE", "CONTRIBUTOR", "WEIGHT"), rows))
    else:
        parts.append(reviews_text(found.review))
    changed = [item for item in found.tensors if item.change is not Change.SAME]
    if changed:
        parts.append(changes_table(changed))
    return "\n\n".join(parts)


def vote_text(vote: Vote, now: int, *, seen: bool = False) -> str:
    """Shows what was made again, where it was not shown yet, and what was signed."""
    short = vote.shown.candidate.commit.short
    did = {
        VoteKind.APPROVAL: "approved",
        VoteKind.ATTESTATION: "attested",
    }[vote.kind]
    if vote.outcome is VoteOutcome.KNOWN:
        return f"{short} was {did} by {vote.voter} before"
    said = {
        VoteOutcome.PLANNED: f"{short} would be {did} by {vote.voter}",
        VoteOutcome.GIVEN: f"{short} is {did} by {vote.voter}",
    }[vote.outcome]
    return said if seen else f"{candidate_text(vote.shown, now)}\n\n{said}"
