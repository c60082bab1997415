"""Each step as an instruction, and how it is called in notes and sentences."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from flair_aggregator.round import (
    AbortRound,
    Accumulate,
    CloseRound,
    ExpireAttestation,
    ExpireCandidate,
    ExpireUpdate,
    Finalize,
    OpenRound,
    Propose,
    RejectUpdate,
    SettleUpdate,
    Step,
)
from flair_client.chain import instructions
from flair_client.chain.accounts import BranchAccount
from flair_client.chain.instructions import Instruction
from flair_client.chain.pdas import find_policy_pda
from flair_client.ids import Address, CommitId


@dataclass(frozen=True, slots=True)
class Place:
    """Where steps are made, and by whom.

    Attributes:
        me: the wallet that signs and pays.
        repo, branch: addresses.
        account: the branch, as read for the plan.
    """

    me: Address
    repo: Address
    branch: Address
    program_id: Address
    account: BranchAccount

    @property
    def common(self) -> dict[str, Address]:
        """What every instruction names."""
        return {
            "repo": self.repo,
            "branch": self.branch,
            "program_id": self.program_id,
        }


@dataclass(frozen=True, slots=True)
class Proposal:
    """A merge commit to propose, and the right to do so.

    Attributes:
        role: the role's account; None for the authority, or a contributor.
        own_update: the proposer's update, where that is its right.
    """

    step: Propose
    commit_id: CommitId
    role: Address | None
    own_update: Address | None


def build(place: Place, step: Step) -> Instruction:
    """Gives the instruction that carries out a step.

    A `Propose` needs a commit first: `build_proposal`.

    Raises:
        TypeError: no instruction belongs to this kind of step.
    """
    builder = _BUILDERS.get(type(step))
    if builder is None:
        raise TypeError(f"{type(step).__name__} is sent elsewhere")
    return builder(place, step)


def build_proposal(place: Place, proposal: Proposal) -> Instruction:
    """Gives the instruction that proposes a merge commit."""
    located = proposal.step.round
    return instructions.merge_propose(
        payer=place.me,
        proposer=place.me,
        policy=located.value.policy,
        round_index=located.value.round_index,
        commit_id=proposal.commit_id,
        expected_head=place.account.head_commit,
        expected_seq=place.account.head_seq,
        role=proposal.role,
        proposer_update=proposal.own_update,
        **place.common,
    )


def _open_round(place: Place, step: OpenRound) -> Instruction:
    index = place.account.policy_index
    policy = find_policy_pda(place.repo, index, place.program_id)[0]
    return instructions.round_open(
        payer=place.me,
        policy=policy,
        round_index=step.round_index,
        **place.common,
    )


def _close_round(place: Place, step: CloseRound) -> Instruction:
    return instructions.round_close(
        actor=place.me,
        policy=step.round.value.policy,
        round_index=step.round.value.round_index,
        **place.common,
    )


def _abort_round(place: Place, step: AbortRound) -> Instruction:
    return instructions.round_abort(
        actor=place.me,
        policy=step.round.value.policy,
        round_index=step.round.value.round_index,
        round_payer=step.round.value.payer,
        **place.common,
    )


def _reject_update(place: Place, step: RejectUpdate) -> Instruction:
    return instructions.update_reject(
        authority=place.me,
        round_index=step.round.value.round_index,
        contributor=step.update.value.contributor,
        reason=step.fault.reason_code,
        **place.common,
    )


def _accumulate(place: Place, step: Accumulate) -> Instruction:
    return instructions.merge_accumulate(
        actor=place.me,
        round_index=step.round.value.round_index,
        contributors=[one.value.contributor for one in step.updates],
        **place.common,
    )


def _finalize(place: Place, step: Finalize) -> Instruction:
    return instructions.merge_finalize(
        actor=place.me,
        policy=step.round.value.policy,
        round_index=step.round.value.round_index,
        commit_id=step.candidate.value.commit_id,
        candidate_payer=step.candidate.value.payer,
        expected_head=place.account.head_commit,
        expected_seq=place.account.head_seq,
        **place.common,
    )


def _close_update(place: Place, step: SettleUpdate | ExpireUpdate) -> Instruction:
    merged = isinstance(step, SettleUpdate)
    close = instructions.update_settle if merged else instructions.update_expire
    return close(
        actor=place.me,
        round_index=step.round.value.round_index,
        contributor=step.update.value.contributor,
        rent_payer=step.update.value.rent_payer,
        round_payer=step.round.value.payer,
        **place.common,
    )


def _expire_candidate(place: Place, step: ExpireCandidate) -> Instruction:
    return instructions.merge_expire(
        actor=place.me,
        round_index=step.candidate.value.round_index,
        commit_id=step.candidate.value.commit_id,
        candidate_payer=step.candidate.value.payer,
        **place.common,
    )


def _expire_attestation(place: Place, step: ExpireAttestation) -> Instruction:
    vote = step.attestation.value
    return instructions.attestation_expire(
        actor=place.me,
        round_index=vote.round_index,
        commit_id=vote.commit_id,
        attester=vote.attester,
        authority_epoch=vote.authority_epoch,
        rent_payer=vote.rent_payer,
        **place.common,
    )


_BUILDERS: Final[Mapping[type, Callable[[Place, Any], Instruction]]] = {
    OpenRound: _open_round,
    CloseRound: _close_round,
    AbortRound: _abort_round,
    RejectUpdate: _reject_update,
    Accumulate: _accumulate,
    Finalize: _finalize,
    SettleUpdate: _close_update,
    ExpireUpdate: _close_update,
    ExpireCandidate: _expire_candidate,
    ExpireAttestation: _expire_attestation,
}


_RoundStep: TypeAlias = (
    CloseRound
    | AbortRound
    | RejectUpdate
    | Accumulate
    | Propose
    | Finalize
    | SettleUpdate
    | ExpireUpdate
)


@dataclass(frozen=True, slots=True)
class StepText:
    """A step in words.

    Attributes:
        name: its instruction, as in docs/protocol.md.
        subject: what it concerns.
        sentence: what was done, for people.
    """

    round_index: int
    name: str
    subject: str
    sentence: str


def describe(step: Step) -> StepText:
    """Gives a step in words."""
    match step:
        case OpenRound(index):
            return StepText(index, "round_open", "", "opened")
        case ExpireCandidate(candidate):
            commit_id = candidate.value.commit_id
            text = f"closed candidate {commit_id.short}, which was not chosen"
            index = candidate.value.round_index
            return StepText(index, "merge_expire", str(commit_id), text)
        case ExpireAttestation(vote):
            who = str(vote.value.attester)
            text = f"gave the rent of the attestation of {who} back"
            return StepText(vote.value.round_index, "attestation_expire", who, text)
        case _:
            return StepText(step.round.value.round_index, *_words(step))


def _words(step: _RoundStep) -> tuple[str, str, str]:  # noqa: PLR0911 - one per kind
    """Instruction, subject and sentence of a step that belongs to a round."""
    match step:
        case CloseRound(located):
            count = _count(located.value.n_accepted, "update")
            return "round_close", "", f"closed with {count}"
        case AbortRound(_, reason):
            return "round_abort", reason, f"aborted: {reason}"
        case RejectUpdate(_, update, fault):
            who = str(update.value.contributor)
            text = f"rejected the update of {who}: {fault.text}"
            return "update_reject", who, text
        case Accumulate(_, updates):
            count = _count(len(updates), "update")
            return "merge_accumulate", count, f"added up {count}"
        case Propose(_):
            return "merge_propose", "", "proposed a merge"
        case Finalize(_, candidate):
            commit_id = candidate.value.commit_id
            text = f"merged: the head is {commit_id.short}"
            return "merge_finalize", str(commit_id), text
        case SettleUpdate(_, update):
            who = str(update.value.contributor)
            return "update_settle", who, f"settled {who}"
        case ExpireUpdate(_, update):
            who = str(update.value.contributor)
            return "update_expire", who, f"gave the rent of {who} back"


def describe_group(steps: tuple[Step, ...]) -> StepText:
    """Gives steps of one kind that share a transaction in words."""
    first = describe(steps[0])
    if len(steps) == 1:
        return first
    nouns = {
        SettleUpdate: ("settled", "update"),
        ExpireUpdate: ("gave back the rent of", "update"),
        ExpireCandidate: ("closed candidates that were not chosen:", "commit"),
        ExpireAttestation: ("gave back the rent of", "attestation"),
    }
    verb, noun = nouns[type(steps[0])]
    count = _count(len(steps), noun)
    return StepText(first.round_index, first.name, count, f"{verb} {count}")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
