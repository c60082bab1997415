"""Makes a round's merge commit: weights, report, events, signature. Sends nothing.

Everything in it follows from the events of the round and the wallet, so that it has the
same id whenever and wherever the same wallet makes it.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Final

from flair_aggregator.gates import norm_outliers
from flair_client.chain.signer import Signer
from flair_client.encoding import (
    encode_commit,
    encode_event_list,
    encode_manifest,
    sign_commit,
)
from flair_client.history.checked import CheckedCommit, Evidence, terms_of
from flair_client.history.events import cap_events
from flair_client.history.records import RoundRecord, UpdateRecord
from flair_client.history.verify_merge import (
    merged_updates,
    recompute,
    strategy_record,
)
from flair_client.history.verify_update import RoundTerms, verify_update
from flair_client.ids import CODEC_DAG_CBOR, CODEC_RAW, CommitId
from flair_client.objects import Commit, CommitKind, Delta, EventList
from flair_client.site_metrics import SiteMetrics, summarise

_MAX_METRICS: Final = 64


def make_merge(
    evidence: Evidence,
    record: RoundRecord,
    head: CheckedCommit,
    signer: Signer,
    *,
    owner_change: int | None = None,
) -> CommitId:
    """Puts the merge commit and all its blocks into the store.

    Args:
        evidence: events, replayed, and the store.
        record: the round, closed and with every update accumulated.
        head: the branch's head, verified; the round's base.
        signer: who will propose it.
        owner_change: how often the owner changed, where the merge that this wallet
            would make was proposed under an earlier owner: this one has another id.

    Raises:
        VerificationError: an update is not sound.
        TooFewUpdates: fewer than what the policy's strategy promises needs.
        StoreFull, StoreUnavailable: nothing was made.
    """
    store = evidence.store
    terms = terms_of(evidence.history, record)
    updates = merged_updates(record)
    sound = [verify_update(store, terms, u, head.manifest) for u in updates]
    deltas = [delta for _, delta in sound]
    commits = [commit for commit, _ in sound]
    listed = EventList(
        first_seq=head.last_seq + 1,
        events=tuple(cap_events(evidence.events[head.last_seq : record.frozen_seq])),
    )
    with store.batch():
        merged = recompute(
            store, store, terms, head.manifest, head.commit, updates, deltas
        )
        state = merged.state
        commit = Commit(
            kind=CommitKind.MERGE,
            repo=terms.repo,
            branch=terms.branch,
            parents=(head.commit_id, *(u.commit_id for u in updates)),
            author=signer.address,
            message=_message(terms.round_index, len(updates), owner_change),
            time=record.closed_at,
            policy=terms.policy,
            round_index=terms.round_index,
            weights=store.put(CODEC_DAG_CBOR, encode_manifest(merged.weights)),
            recipe=head.recipe,
            strategy=strategy_record(terms, (u.weight for u in updates)),
            strategy_state=None
            if state is None
            else store.put(CODEC_DAG_CBOR, encode_manifest(state)),
            report=store.put(CODEC_RAW, merge_report(terms, updates, deltas, commits)),
            events=store.put(CODEC_DAG_CBOR, encode_event_list(listed)),
        )
        signed = sign_commit(commit, signer.address, signer.sign)
        cid = store.put(CODEC_DAG_CBOR, encode_commit(signed))
    return CommitId(cid.digest)


def _message(round_index: int, n_updates: int, owner_change: int | None) -> str:
    again = "" if owner_change is None else f", anew after owner change {owner_change}"
    return f"merge round {round_index}: {n_updates} updates{again}"


def merge_report(
    terms: RoundTerms,
    updates: Sequence[UpdateRecord],
    deltas: Sequence[Delta],
    commits: Sequence[Commit],
) -> bytes:
    """Facts about each update, as JSON whose bytes follow from the updates alone.

    Args:
        terms: of the round.
        updates: by the chain.
        deltas: of the updates, in the same order; validated.
        commits: likewise, for the metrics that the sites let out.
    """
    pairs = list(zip(updates, deltas, strict=True))
    outliers = norm_outliers({u.contributor: d.norm_sq for u, d in pairs})
    rows = [
        {
            "contributor": str(update.contributor),
            "commit": str(update.commit_id),
            "weight": update.weight,
            "norm_sq": str(delta.norm_sq),
            "norm_bound_sq": str(terms.params.norm_bound_sq),
            "is_outlier": update.contributor in outliers,
            "n_changed_tensors": sum(bool(tensor.blocks) for tensor in delta.tensors),
        }
        for update, delta in pairs
    ]
    report = {
        "v": 1,
        "round_index": terms.round_index,
        "updates": rows,
        "metrics": _metric_rows(updates, commits),
    }
    return json.dumps(report, sort_keys=True, separators=(",", ":")).encode()


def _metric_rows(
    updates: Sequence[UpdateRecord], commits: Sequence[Commit]
) -> list[dict[str, object]]:
    """What the sites state, summed up; counts are the buckets that they state."""
    sites = [
        SiteMetrics(
            update.contributor,
            None if commit.training is None else commit.training.samples_bucket,
            commit.metrics or {},
        )
        for update, commit in zip(updates, commits, strict=True)
    ]
    # What most sites state comes first: nobody fills the report with names of its own.
    found = sorted(summarise(sites), key=lambda one: (-one.n_sites, one.name))
    return [
        {**asdict(one), "worst_site": str(one.worst_site)}
        for one in found[:_MAX_METRICS]
    ]
