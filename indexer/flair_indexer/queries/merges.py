"""Proposed merges, and who spoke for them."""

from typing import Any

from sqlalchemy import Row, select

from flair_client.ids import Address, CommitId
from flair_indexer.queries.look import Source, looking
from flair_indexer.tables import BRANCHES, CANDIDATES, VOTES
from flair_indexer.views import CandidateView, VoteView


def candidates(
    source: Source, branch: Address, round_index: int
) -> list[CandidateView]:
    """Gives the merges that were proposed for a round, oldest first."""
    query = (
        select(CANDIDATES)
        .where(
            CANDIDATES.c.branch == branch.raw, CANDIDATES.c.round_index == round_index
        )
        .order_by(CANDIDATES.c.proposed_seq)
    )
    with looking(source) as connection:
        return [_candidate(row) for row in connection.execute(query)]


def open_candidates(source: Source, repo: Address) -> list[CandidateView]:
    """Gives the proposed merges of a repository's live rounds, oldest first."""
    joined = BRANCHES.join(
        CANDIDATES,
        (CANDIDATES.c.branch == BRANCHES.c.branch)
        & (CANDIDATES.c.round_index == BRANCHES.c.round_index),
    )
    query = (
        select(CANDIDATES)
        .select_from(joined)
        .where(BRANCHES.c.repo == repo.raw, CANDIDATES.c.state == "open")
        .order_by(CANDIDATES.c.proposed_seq)
    )
    with looking(source) as connection:
        return [_candidate(row) for row in connection.execute(query)]


def votes(source: Source, branch: Address, round_index: int) -> list[VoteView]:
    """Gives approvals and attestations of a round's merges, oldest first."""
    query = (
        select(VOTES)
        .where(VOTES.c.branch == branch.raw, VOTES.c.round_index == round_index)
        .order_by(VOTES.c.event_seq)
    )
    with looking(source) as connection:
        return [
            VoteView(
                CommitId(bytes(row.commit_id)),
                row.kind,
                Address(bytes(row.voter)),
                row.authority_epoch,
                row.voted_at,
            )
            for row in connection.execute(query)
        ]


def _candidate(row: Row[Any]) -> CandidateView:
    return CandidateView(
        Address(bytes(row.branch)),
        row.round_index,
        CommitId(bytes(row.commit_id)),
        Address(bytes(row.proposer)),
        row.proposed_at,
        row.authority_epoch,
        row.state,
    )
