"""Approving and attesting a proposed merge: made again first, then signed.

What is signed names the commit and the chain's sum of its updates: the program refuses
it where either is another by then.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from flair_client.chain import instructions
from flair_client.chain.accounts import Scope
from flair_client.chain.instructions import Instruction
from flair_client.chain.pdas import find_candidate_pda
from flair_client.context import Context
from flair_client.errors import Refused
from flair_client.ids import Address, CommitId
from flair_client.porcelain.candidate import CandidateShown, Look, look_at, shown
from flair_client.porcelain.target import find_repo
from flair_client.repo_address import RepoAddress


class VoteKind(StrEnum):
    """Who agrees to a merge, and as what."""

    APPROVAL = "approval"  # the owner
    ATTESTATION = "attestation"  # somebody who made the merge again


class VoteOutcome(StrEnum):
    """What became of it."""

    PLANNED = "planned"  # a dry run: nothing was sent
    GIVEN = "given"
    KNOWN = "known"  # given before, under the same owner


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """An approval or attestation of a proposed merge.

    Attributes:
        shown: the merge as it came out on this machine.
        approvals, attestations: that count, this one included where it was sent.
        is_enough: whether nobody else has to agree.
        tx_signature: None where nothing was sent.
    """

    kind: VoteKind
    outcome: VoteOutcome
    voter: Address
    shown: CandidateShown
    approvals: int
    attestations: int
    is_enough: bool
    tx_signature: str | None


def approve(
    ctx: Context,
    repo: RepoAddress,
    branch: str,
    text: str | None = None,
    *,
    dry_run: bool = False,
    verified: Collection[CommitId] = (),
    agree: Callable[[CandidateShown], None] = lambda _: None,
) -> Vote:
    """Approves a proposed merge as the owner, once it came out the same here.

    Args:
        ctx: with the owner's wallet.
        repo: the repository.
        branch: its name.
        text: digits of the candidate's id; not needed where there is only one.
        dry_run: only makes the merge again; signs and sends nothing.
        verified: commits that were found right on this machine before.
        agree: asked before anything is signed; raises where the answer is no.

    Raises:
        Refused: the wallet is not the owner's, or the candidate can no longer be
            merged.
        As `candidate_show`.
    """
    place = find_repo(ctx, repo).branch(branch)
    if not place.repo.is_mine:
        raise Refused(
            f"the owner {place.repo.account.authority} approves merges, this is wallet "
            f"{ctx.wallet.address}"
        )
    look = look_at(ctx, place, text, verified)
    _require_alive(look)
    known = look.account.votes(look.authority_epoch)[0] > 0
    if not (known or dry_run):
        agree(shown(repo, look))
    common = _common(ctx, look)
    instruction = instructions.merge_approve(authority=ctx.wallet.address, **common)
    return _vote(
        *(ctx, repo, look, VoteKind.APPROVAL, instruction), known=known, dry_run=dry_run
    )


def attest(
    ctx: Context,
    repo: RepoAddress,
    branch: str,
    text: str | None = None,
    *,
    dry_run: bool = False,
    verified: Collection[CommitId] = (),
) -> Vote:
    """Attests a proposed merge, once it came out the same here.

    Args:
        ctx: with the wallet of the owner, or of a holder of the role `attest`.
        repo: as for `approve`, like all that follow.
        branch: its name.
        text: digits of the candidate's id.
        dry_run: signs and sends nothing.
        verified: commits that were found right on this machine before.

    Raises:
        Refused: the wallet proposed the merge, has no such role, or the candidate can
            no longer be merged.
        As `candidate_show`.
    """
    place = find_repo(ctx, repo).branch(branch)
    wallet = ctx.wallet.address
    role = place.repo.right(Scope.ATTEST, place.address)
    if role is None and not place.repo.is_mine:
        raise Refused(
            f"wallet {wallet} is not the owner and has no role 'attest' on branch "
            f"{branch!r}"
        )
    look = look_at(ctx, place, text, verified)
    if look.account.proposer == wallet:
        raise Refused(
            f"wallet {wallet} proposed {look.account.commit_id.short}: another one has "
            "to attest it"
        )
    _require_alive(look)
    where = find_candidate_pda(
        look.live.address, look.account.commit_id, ctx.program_id
    )[0]
    made = ctx.chain.attestation(where, look.authority_epoch, wallet)
    instruction = instructions.merge_attest(
        payer=wallet,
        attester=wallet,
        authority_epoch=look.authority_epoch,
        role=role,
        **_common(ctx, look),
    )
    return _vote(
        *(ctx, repo, look, VoteKind.ATTESTATION, instruction),
        known=made is not None,
        dry_run=dry_run,
    )


def _require_alive(look: Look) -> None:
    """Refuses early what could not be merged any more.

    Raises:
        Refused: it was proposed under another owner, on a protected branch.
    """
    epoch = look.authority_epoch
    if look.place.account.protected and look.account.authority_epoch != epoch:
        raise Refused(
            f"candidate {look.account.commit_id.short} was proposed before the owner "
            "changed, and the branch is protected: the new owner proposes anew"
        )


def _common(ctx: Context, look: Look) -> dict[str, Any]:
    """What is voted on, as it came out here."""
    return {
        "repo": look.place.repo.address,
        "branch": look.place.address,
        "round_index": look.record.round_index,
        "commit_id": look.account.commit_id,
        "update_root": look.record.update_root,
        "program_id": ctx.program_id,
    }


def _vote(
    ctx: Context,
    repo: RepoAddress,
    look: Look,
    kind: VoteKind,
    instruction: Instruction,
    *,
    known: bool,
    dry_run: bool,
) -> Vote:
    signature = None
    if not (known or dry_run):
        signature = str(ctx.send([instruction]).signature)
    told = shown(repo, _voted(ctx, look) if signature else look)
    outcome = VoteOutcome.KNOWN if known else VoteOutcome.PLANNED
    approvals, attestations = told.candidate.approved, len(told.candidate.attesters)
    return Vote(
        kind=kind,
        outcome=VoteOutcome.GIVEN if signature else outcome,
        voter=ctx.wallet.address,
        shown=told,
        approvals=int(approvals),
        attestations=attestations,
        is_enough=approvals >= bool(told.approvals_needed)
        and attestations >= told.attestations_needed,
        tx_signature=signature,
    )


def _voted(ctx: Context, look: Look) -> Look:
    """The candidate as it stands behind the vote; where it was merged at once, before.

    Whoever waits for the last vote may be as fast as this.
    """
    account = ctx.chain.candidate(look.live.address, look.account.commit_id)
    return look if account is None else replace(look, account=account)
