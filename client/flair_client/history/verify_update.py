"""Checks one update against the round that it was pushed into."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from flair_client.chain.accounts import PolicyParams
from flair_client.chain.signer import verify_signature
from flair_client.delta import validate_delta
from flair_client.encoding import (
    decode_commit,
    decode_delta,
    verify_commit_signature,
)
from flair_client.errors import VerificationError
from flair_client.history.verify_weights import naming
from flair_client.ids import Address, CommitId, Digest
from flair_client.objects import Commit, CommitKind, Delta, Manifest
from flair_client.store.base import Store
from flair_client.store.bulk import bring_near


@dataclass(frozen=True, slots=True)
class RoundTerms:
    """What every update of a round, and its merge, has to agree with.

    Attributes:
        branch: the branch's name.
        policy: digest of the policy that the round pins.
    """

    repo: Address
    branch: str
    round_index: int
    base: CommitId
    policy: Digest
    params: PolicyParams


class Pushed(Protocol):
    """An update as the chain holds it: an account, or a record of events."""

    @property
    def contributor(self) -> Address:
        """Whose update it is."""

    @property
    def signer(self) -> Address:
        """Who signed for it: the contributor, or a key that acts for it."""

    @property
    def commit_id(self) -> CommitId:
        """Its commit."""

    @property
    def payload_digest(self) -> Digest:
        """Digest of its delta."""


def read_commit(store: Store, commit_id: CommitId) -> Commit:
    """Reads a commit and checks digest, form and signature.

    Raises:
        BlockMissing, DigestMismatch: the block is not there or not itself.
        ObjectError: it does not decode, or its author did not sign it.
    """
    commit = decode_commit(store.get(commit_id.cid))
    verify_commit_signature(commit, verify_signature)
    return commit


def verify_update(
    store: Store, terms: RoundTerms, pushed: Pushed, base: Manifest
) -> tuple[Commit, Delta]:
    """Gives the update's commit and delta once everything about them is right.

    Args:
        store: where the blocks lie.
        terms: of the round.
        pushed: what the chain says about the update.
        base: weights of the round's base.

    Raises:
        VerificationError: `update …` and the first thing that is wrong.
    """
    where = f"update {pushed.commit_id.short}"
    must = requiring(where)
    with naming(where):
        commit = read_commit(store, pushed.commit_id)
        _check_commit(commit, terms, pushed, must)
        if commit.delta is None:
            raise VerificationError(where, "carries no delta")
        must(
            commit.delta.digest == pushed.payload_digest.raw,
            "its delta is not the one that was pushed",
        )
        delta = decode_delta(store.get(commit.delta))
        _check_delta(delta, terms, pushed, must)
        bring_near(store, (cid for one in delta.tensors for cid in one.blocks))
        validate_delta(store, delta, base, terms.params)
    return commit, delta


def requiring(where: str) -> Callable[[bool, str], None]:
    """Gives a check that raises a VerificationError at this place."""

    def must(condition: bool, reason: str) -> None:
        if not condition:
            raise VerificationError(where, reason)

    return must


Must = Callable[[bool, str], None]


def _check_commit(
    commit: Commit, terms: RoundTerms, pushed: Pushed, must: Must
) -> None:
    must(commit.kind is CommitKind.UPDATE, f"is a {commit.kind} commit")
    must(
        commit.author == pushed.signer,
        f"is signed by {commit.author}, pushed by {pushed.signer}",
    )
    must(commit.repo == terms.repo, f"belongs to repository {commit.repo}")
    must(commit.branch == terms.branch, f"belongs to branch {commit.branch!r}")
    must(commit.parents == (terms.base,), "was made for another base")
    must(commit.policy == terms.policy, "was made under another policy")
    must(commit.round_index == terms.round_index, "was made for another round")
    wanted = terms.params.recipe_digest
    if any(wanted.raw):
        must(
            commit.recipe is not None and commit.recipe.digest == wanted.raw,
            "was made with another recipe",
        )
    most, said = terms.params.max_epochs, commit.training
    must(
        not most or said is None or said.epochs <= most,
        "says it trained for more epochs than the policy allows",
    )
    if terms.params.dp_rule:
        must(
            commit.privacy is not None and commit.privacy.epsilon is not None,
            "states no privacy loss, which the policy requires",
        )


def _check_delta(delta: Delta, terms: RoundTerms, pushed: Pushed, must: Must) -> None:
    must(delta.contributor == pushed.contributor, "its delta names another contributor")
    must(delta.repo == terms.repo, "its delta names another repository")
    must(delta.branch == terms.branch, "its delta names another branch")
    must(delta.round_index == terms.round_index, "its delta names another round")
    must(delta.base == terms.base, "its delta names another base")
    must(delta.policy == terms.policy, "its delta names another policy")
