"""Checks a merge by making it again from its updates."""

import hashlib
from collections.abc import Iterable

from flair_client.encoding import encode_manifest
from flair_client.errors import TooFewUpdates, VerificationError
from flair_client.history.merge import Merged, merge_weights
from flair_client.history.merge_state import state_before
from flair_client.history.records import (
    PolicyRecord,
    RoundRecord,
    UpdateRecord,
)
from flair_client.history.verify_update import (
    RoundTerms,
    requiring,
    verify_update,
)
from flair_client.history.verify_weights import (
    first_difference,
    naming,
    read_manifest,
    verify_complete,
)
from flair_client.ids import CODEC_DAG_CBOR, Address, CommitId, Digest, block_cid
from flair_client.objects import Commit, CommitKind, Delta, Manifest, StrategyRecord
from flair_client.store.base import Store
from flair_client.strategies import choice_of, lambda_for

_ROOT_PREFIX = b"flair-accumulate-v1\n"


def round_terms(
    repo: Address, branch: str, record: RoundRecord, policy: PolicyRecord
) -> RoundTerms:
    """What the round's updates and merge have to agree with."""
    return RoundTerms(
        repo,
        branch,
        record.round_index,
        record.base_commit,
        policy.digest,
        policy.params,
    )


def accumulated_root(updates: Iterable[UpdateRecord]) -> Digest:
    """The chain's running digest over accumulated updates, in the chain's order."""
    root = bytes(32)
    for update in updates:
        text = (
            _ROOT_PREFIX
            + root
            + update.contributor.raw
            + update.commit_id.raw
            + update.weight.to_bytes(2, "little")
        )
        root = hashlib.sha256(text).digest()
    return Digest(root)


def merged_updates(record: RoundRecord) -> tuple[UpdateRecord, ...]:
    """The round's accepted updates in the order of a merge's parents: by commit id."""
    return tuple(sorted(record.accepted(), key=lambda u: u.commit_id))


def strategy_record(terms: RoundTerms, weights: Iterable[int]) -> StrategyRecord:
    """How the policy combines the updates; `weights` in the order of the parents."""
    weights = tuple(weights)
    choice = choice_of(terms.params)
    return StrategyRecord(
        id=choice.strategy.id,
        params={
            "eta_q24": choice.eta_q24,
            "lambda": lambda_for(choice.eta_q24, sum(weights)),
            **choice.params,
        },
        weights=weights,
    )


def verify_merge(  # noqa: PLR0917 - what is read, then what is checked
    store: Store,
    scratch: Store,
    terms: RoundTerms,
    record: RoundRecord,
    base: Manifest,
    head: Commit,
    commit_id: CommitId,
    commit: Commit,
) -> Manifest:
    """Makes the merge again and compares. Gives its manifest.

    Checks kind, parents, policy, strategy, weights, the chain's sum, every update,
    the integers and digests of all tensors, and what the strategy keeps. Signature,
    author, place and list of events are for the caller.

    Args:
        store: where the blocks lie.
        scratch: takes the blocks of the recomputed weights.
        terms: of the round.
        record: the round by its events; finalised or not.
        base: weights of the round's base.
        head: the round's base itself.
        commit_id: the merge.
        commit: the merge, decoded.

    Raises:
        VerificationError: `commit …` or `update … of merge …`, and what is wrong.
    """
    where = f"commit {commit_id.short}"
    must = requiring(where)
    updates = merged_updates(record)
    must(commit.kind is CommitKind.MERGE, f"is a {commit.kind} commit, not a merge")
    must(commit.round_index == terms.round_index, "is for another round")
    must(commit.policy == terms.policy, "was made under another policy")
    _check_parents(commit, terms, updates, where)
    with naming(where):
        _check_strategy(commit, terms, record, updates, where)
    deltas = [
        _verified_delta(store, terms, update, base, commit_id) for update in updates
    ]
    with naming(where):
        if commit.report is not None:
            store.get(commit.report)
        actual = _declared_manifest(store, commit, where)
        try:
            expected = recompute(store, scratch, terms, base, head, updates, deltas)
        except TooFewUpdates as exc:
            raise VerificationError(where, str(exc)) from exc
    difference = first_difference(expected.weights, actual)
    must(difference is None, f"weights: {difference}")
    _check_state(store, expected.state, commit, where)
    return actual


def recompute(  # noqa: PLR0917 - what is read, then what is merged
    store: Store,
    scratch: Store,
    terms: RoundTerms,
    base: Manifest,
    head: Commit,
    updates: Iterable[UpdateRecord],
    deltas: Iterable[Delta],
) -> Merged:
    """What comes out of merging these updates, one tensor at a time.

    Args:
        store: where the blocks lie.
        scratch: takes new blocks.
        terms: of the round.
        base: weights of the round's base.
        head: the round's base itself, for what its strategy kept.
        updates: by the chain.
        deltas: of the updates, in the same order; validated.

    Raises:
        As `merge_weights`.
    """
    weighted = [(u.weight, d) for u, d in zip(updates, deltas, strict=True)]
    choice = choice_of(terms.params)
    state = state_before(store, head, choice.strategy)
    return merge_weights(store, base, weighted, choice, scratch, state=state)


def _check_state(
    store: Store, expected: Manifest | None, commit: Commit, where: str
) -> None:
    """The moments in the commit are those that recomputing gives, and all there."""
    must = requiring(where)
    kept = commit.strategy_state
    if expected is None:
        must(kept is None, "has a state, which its strategy does not keep")
        return
    if kept is None:
        raise VerificationError(where, "has no state, which its strategy keeps")
    is_same = block_cid(CODEC_DAG_CBOR, encode_manifest(expected)) == kept
    must(is_same, "its strategy's state is not what recomputing gives")
    with naming(where):
        verify_complete(store, read_manifest(store, kept))


def _declared_manifest(store: Store, commit: Commit, where: str) -> Manifest:
    if commit.weights is None:
        raise VerificationError(where, "carries no weights")
    return read_manifest(store, commit.weights)


def _check_parents(
    commit: Commit, terms: RoundTerms, updates: tuple[UpdateRecord, ...], where: str
) -> None:
    must = requiring(where)
    head, *merged = commit.parents
    must(head == terms.base, "its first parent is not the base of the round")
    by_id = {update.commit_id: update for update in updates}
    left_out = sorted(by_id.keys() - set(merged))
    if left_out:
        update = by_id[left_out[0]]
        reason = f"leaves out update {update.commit_id.short} of {update.contributor}"
        raise VerificationError(where, reason)
    added = sorted(set(merged) - by_id.keys())
    if added:
        reason = f"merges {added[0].short}, which is no accepted update of the round"
        raise VerificationError(where, reason)
    must(
        tuple(merged) == tuple(by_id), "its parents are not sorted, or one comes twice"
    )


def _check_strategy(
    commit: Commit,
    terms: RoundTerms,
    record: RoundRecord,
    updates: tuple[UpdateRecord, ...],
    where: str,
) -> None:
    must = requiring(where)
    declared = commit.strategy
    expected = strategy_record(terms, (update.weight for update in updates))
    if declared is None:
        raise VerificationError(where, "names no strategy")
    must(
        declared.id == expected.id,
        f"uses strategy {declared.id!r}, the policy wants {expected.id!r}",
    )
    for update, weight in zip(updates, declared.weights, strict=True):
        must(
            weight == update.weight,
            f"gives update {update.commit_id.short} weight {weight}, "
            f"pushed with {update.weight}",
        )
    params = dict(declared.params)
    must(
        params == dict(expected.params),
        f"strategy parameters {params} are not the policy's",
    )
    must(
        accumulated_root(record.accepted()) == record.update_root,
        "the chain added up other updates",
    )
    if record.merge_lambda is not None:
        must(
            record.merge_lambda == expected.params["lambda"],
            f"the chain's lambda is {record.merge_lambda}, "
            f"the policy gives {expected.params['lambda']}",
        )


def _verified_delta(
    store: Store,
    terms: RoundTerms,
    update: UpdateRecord,
    base: Manifest,
    merge: CommitId,
) -> Delta:
    try:
        return verify_update(store, terms, update, base)[1]
    except VerificationError as exc:
        raise VerificationError(
            f"{exc.where} of merge {merge.short}", exc.reason
        ) from exc
