"""A repository on a chain in memory: real event bytes, real accounts, no program.

It does whatever a test asks, sound or not: so a test can be the malicious holder of a
role, and see what verification says.
"""

from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import numpy as np

from flair_client.chain import events as ev
from flair_client.chain.accounts import MoveKind, PolicyParams, Scope
from flair_client.chain.pdas import (
    PROGRAM_ID,
    find_branch_pda,
    find_policy_pda,
    find_repo_pda,
)
from flair_client.chain.signer import KeypairSigner
from flair_client.delta import DeltaTerms, write_delta
from flair_client.encoding import (
    decode_commit,
    encode_commit,
    encode_delta,
    encode_event_list,
    encode_manifest,
    encode_recipe,
    sign_commit,
)
from flair_client.history.events import events_for_commit
from flair_client.history.merge import Merged
from flair_client.history.records import MoveRecord, UpdateRecord
from flair_client.history.replay import replay
from flair_client.history.revert import revert_contributor, revert_merge
from flair_client.history.verify_merge import (
    accumulated_root,
    merged_updates,
    recompute,
    strategy_record,
)
from flair_client.history.verify_move import terms_of
from flair_client.history.verify_update import verify_update
from flair_client.history.verify_weights import read_manifest
from flair_client.ids import (
    CODEC_DAG_CBOR,
    CODEC_RAW,
    ZERO_ADDRESS,
    Address,
    Cid,
    CommitId,
    Digest,
)
from flair_client.objects import (
    Commit,
    CommitKind,
    Manifest,
    Recipe,
    RecipeFile,
    Revert,
    RevertKind,
    Role,
)
from flair_client.store import MemoryStore
from flair_client.strategies import lambda_for
from flair_client.testing_objects import make_manifest

OWNER = KeypairSigner(bytes([1]) * 32)
BOT = KeypairSigner(bytes([2]) * 32)
SITES = [KeypairSigner(bytes([10 + n]) * 32) for n in range(4)]
STRANGER = KeypairSigner(bytes([99]) * 32)
PARAMS = PolicyParams(
    bits=16,
    scale_exp=-10,
    weight_cap=256,
    min_updates=2,
    max_updates=4,
    n_params=8,
    norm_bound_sq=10**9,
    eta_q24=1 << 24,
    round_length_s=100,
    merge_grace_s=50,
    challenge_s=0,
)
NO_DIGEST = Digest(bytes(32))
POLICY_DIGEST = Digest(bytes([6]) * 32)
GENESIS = Address(bytes([5]) * 32)


@dataclass
class World:
    """Chain and store of one repository."""

    store: MemoryStore = field(default_factory=MemoryStore)
    events: list[bytes] = field(default_factory=list)
    lost: set[int] = field(default_factory=set)
    sent_events: list[bytes] = field(default_factory=list)
    root: Digest = NO_DIGEST
    now: int = 1_800_000_000
    params: PolicyParams = PARAMS
    program_id: Address = PROGRAM_ID
    account_changes: dict[str, Any] = field(default_factory=dict)
    branch_changes: dict[str, Any] = field(default_factory=dict)
    policy_digest: Digest = POLICY_DIGEST

    def __post_init__(self) -> None:
        self.repo_address = find_repo_pda(OWNER.address, "heart")[0]
        self.main = find_branch_pda(self.repo_address, "main")[0]
        self.emit(
            ev.RepoCreated,
            OWNER,
            creator=OWNER.address,
            name="heart",
            points_per_merge=10,
        )
        self.emit(
            ev.PolicyCreated,
            OWNER,
            policy=find_policy_pda(self.repo_address, 0)[0],
            index=0,
            digest=self.policy_digest,
            params=self.params,
        )
        self.add_branch("main")

    # What verification reads.
    def repo(self, _address: Address) -> Any:
        values = {
            "creator": OWNER.address,
            "authority": OWNER.address,
            "pending_authority": ZERO_ADDRESS,
            "authority_epoch": 0,
            "name": "heart",
            "policy_count": 1,
            "event_seq": len(self.events),
            "history_root": self.root,
            "sponsor": ZERO_ADDRESS,
        }
        return SimpleNamespace(**(values | self.account_changes))

    def branches(self, repo: Address) -> list[Any]:
        return [self.branch(repo, one.name) for one in self.history.branches.values()]

    def branch(self, repo: Address, name: str) -> Any:
        record = self.history.branches[find_branch_pda(repo, name)[0]]
        values = {
            "name": name,
            "head_commit": record.head,
            "head_seq": len(record.moves),
            "round_index": record.round_index,
            "round_live": record.live_round is not None,
            "policy_index": record.policy_index,
        }
        return SimpleNamespace(**(values | self.branch_changes))

    def policy(self, _repo: Address, _index: int) -> Any:
        return SimpleNamespace(digest=self.policy_digest)

    def config(self) -> Any:
        return SimpleNamespace(genesis_tag=Digest(GENESIS.raw))

    def found_events(self, _repo: Address, seq: int) -> list[bytes]:
        return self.sent_events[seq:]

    # What users do.
    @property
    def history(self) -> Any:
        return replay(self.repo_address, self.events)

    def emit(self, event_class: Any, actor: KeypairSigner, /, **fields: Any) -> None:
        event = event_class(
            repo=self.repo_address,
            repo_seq=len(self.events) + 1,
            prev_root=self.root,
            unix_timestamp=self.now,
            actor=actor.address,
            **fields,
        )
        event_bytes = ev.encode_event(event)
        self.events.append(event_bytes)
        self.root = ev.event_root(event_bytes)
        self.store.put(CODEC_RAW, ev.event_block(event_bytes))

    def add_branch(self, name: str, *, protected: bool = False) -> Address:
        branch = find_branch_pda(self.repo_address, name)[0]
        self.emit(
            ev.BranchCreated,
            OWNER,
            branch=branch,
            name=name,
            policy_index=0,
            protected=protected,
            first_round=1,
        )
        return branch

    def grant(self, who: KeypairSigner, scope: Scope, expires_at: int = 0) -> None:
        self.emit(
            ev.RoleGranted,
            OWNER,
            grantee=who.address,
            branch=ZERO_ADDRESS,
            scope=scope,
            expires_at=expires_at,
        )

    def put_commit(self, signer: KeypairSigner, **fields: Any) -> CommitId:
        values = {
            "repo": self.repo_address,
            "branch": "main",
            "author": signer.address,
            "message": "a commit",
            "time": self.now,
        }
        signer_of = fields.pop("signed_by", signer)
        commit = Commit(**(values | fields))
        if signer_of is signer:
            commit = sign_commit(commit, signer.address, signer.sign)
        else:
            forged = sign_commit(
                replace(commit, author=signer_of.address),
                signer_of.address,
                signer_of.sign,
            )
            commit = replace(commit, signature=forged.signature)
        return CommitId(self.store.put(CODEC_DAG_CBOR, encode_commit(commit)).digest)

    def put_manifest(self, manifest: Manifest) -> Cid:
        return self.store.put(CODEC_DAG_CBOR, encode_manifest(manifest))

    def event_list(self, parent: Commit | None, through: int | None = None) -> Cid:
        listed = events_for_commit(
            self, self.store, self.repo_address, parent, through_seq=through
        )
        return self.store.put(CODEC_DAG_CBOR, encode_event_list(listed))

    def put_recipe(self, text: bytes = b"kind = 1\n") -> Cid:
        file = RecipeFile(
            path="flair.toml", size=len(text), cid=self.store.put(CODEC_RAW, text)
        )
        return self.store.put(CODEC_DAG_CBOR, encode_recipe(Recipe(files=(file,))))

    def advance(
        self,
        kind: MoveKind,
        new_head: CommitId,
        *,
        by: KeypairSigner = OWNER,
        branch: Address | None = None,
    ) -> CommitId:
        record = self.history.branches[branch or self.main]
        live = record.live_round
        self.emit(
            ev.BranchAdvanced,
            by,
            branch=branch or self.main,
            kind=kind,
            old_head=record.head,
            new_head=new_head,
            new_seq=len(record.moves) + 1,
            ended_round=live is not None,
            round_index=0 if live is None else live.round_index,
        )
        return new_head

    def publish_root(self, signer: KeypairSigner = OWNER, **fields: Any) -> CommitId:
        weights = {
            "weight": np.arange(6, dtype=np.float32).reshape(2, 3),
            "bias": np.zeros(2, np.float32),
        }
        manifest = make_manifest(self.store, weights | fields.pop("tensors", {}))
        values = {
            "kind": CommitKind.ROOT,
            "weights": self.put_manifest(manifest),
            "recipe": self.put_recipe(),
            "events": self.event_list(None),
        }
        return self.advance(MoveKind.ROOT, self.put_commit(signer, **(values | fields)))

    def head(self) -> tuple[CommitId, Commit, Manifest]:
        head = self.history.branches[self.main].head
        commit = decode_commit(self.store.get(head.cid))
        return head, commit, read_manifest(self.store, commit.weights)

    def open_round(self) -> None:
        record = self.history.branches[self.main]
        self.emit(
            ev.RoundOpened,
            STRANGER,
            branch=self.main,
            round_index=record.round_index,
            policy_index=0,
            base_commit=record.head,
            base_seq=len(record.moves),
            deadline=self.now + self.params.round_length_s,
        )

    @property
    def live(self) -> Any:
        return self.history.branches[self.main].live_round

    def put_update(
        self, site: KeypairSigner, step: int, **changes: Any
    ) -> dict[str, Any]:
        head, _, manifest = self.head()
        terms = DeltaTerms(
            repo=self.repo_address,
            branch="main",
            contributor=site.address,
            round_index=self.live.round_index,
            base=head,
            policy=self.policy_digest,
            bits=self.params.bits,
            scale_exp=self.params.scale_exp,
        )
        ints = {
            entry.name: np.full(entry.shape, step, np.int16)
            for entry in manifest.tensors
            if entry.role is not Role.FROZEN
        }
        terms = replace(terms, **changes.pop("delta_terms", {}))
        delta = write_delta(self.store, terms, changes.pop("ints", ints))
        delta = replace(delta, **changes.pop("delta_fields", {}))
        cid = self.store.put(CODEC_DAG_CBOR, encode_delta(delta))
        values = {
            "kind": CommitKind.UPDATE,
            "parents": (head,),
            "delta": cid,
            "policy": self.policy_digest,
            "round_index": self.live.round_index,
        }
        signer = changes.pop("signer", site)
        commit_id = self.put_commit(signer, **(values | changes))
        return {"commit_id": commit_id, "payload_digest": Digest(cid.digest)}

    def push(
        self, site: KeypairSigner, step: int = 3, weight: int = 1, **changes: Any
    ) -> CommitId:
        by = changes.pop("by", site)
        if by is not site:
            changes |= {
                "signer": by,
                "delta_terms": {"contributor": site.address},
            }
        pushed = changes.pop("pushed", None) or self.put_update(site, step, **changes)
        self.emit(
            ev.UpdatePushed,
            by,
            branch=self.main,
            round_index=self.live.round_index,
            contributor=site.address,
            statement_digest=Digest(bytes(32)),
            nonce=bytes(16),
            weight=weight,
            n_columns=0,
            **pushed,
        )
        return pushed["commit_id"]

    def close_round(self) -> None:
        accepted = self.live.accepted()
        self.emit(
            ev.RoundClosed,
            STRANGER,
            branch=self.main,
            round_index=self.live.round_index,
            n_accepted=len(accepted),
            weight_sum=sum(u.weight for u in accepted),
        )

    def accumulate(self, root: Digest | None = None) -> None:
        accepted = self.live.accepted()
        self.emit(
            ev.MergeAccumulated,
            STRANGER,
            branch=self.main,
            round_index=self.live.round_index,
            n_batch=len(accepted),
            n_accumulated=len(accepted),
            weight_accumulated=sum(u.weight for u in accepted),
            update_root=root or accumulated_root(accepted),
        )

    def make_merge(self, signer: KeypairSigner = BOT, **fields: Any) -> CommitId:
        """The right merge commit; `fields` replace what it says."""
        head, head_commit, base = self.head()
        record = self.live
        terms = terms_of(self.history, record)
        updates = merged_updates(record)
        values: dict[str, Any] = {
            "kind": CommitKind.MERGE,
            "parents": (head, *(u.commit_id for u in updates)),
            "policy": self.policy_digest,
            "round_index": record.round_index,
            "strategy": strategy_record(terms, [u.weight for u in updates]),
        }
        if "weights" not in fields:
            merged = self.merge_updates(updates, base, terms)
            values["weights"] = self.put_manifest(merged.weights)
            if merged.state is not None:
                values["strategy_state"] = self.put_manifest(merged.state)
        if "events" not in fields:
            values["events"] = self.event_list(head_commit, record.frozen_seq)
        return self.put_commit(signer, **(values | fields))

    def merge_updates(
        self, updates: tuple[UpdateRecord, ...], base: Manifest, terms: Any
    ) -> Merged:
        deltas = [verify_update(self.store, terms, u, base)[1] for u in updates]
        head = self.head()[1]
        return recompute(self.store, self.store, terms, base, head, updates, deltas)

    def finalize(
        self,
        commit_id: CommitId,
        *,
        by: KeypairSigner = BOT,
        lambda_: int | None = None,
    ) -> CommitId:
        record = self.live
        accepted = record.accepted()
        weight_sum = sum(u.weight for u in accepted)
        self.emit(
            ev.MergeProposed,
            by,
            branch=self.main,
            round_index=record.round_index,
            commit_id=commit_id,
            proposer=by.address,
        )
        self.emit(
            ev.MergeFinalized,
            STRANGER,
            branch=self.main,
            round_index=record.round_index,
            commit_id=commit_id,
            old_head=record.base_commit,
            new_seq=record.base_seq + 1,
            n_accepted=len(accepted),
            weight_sum=weight_sum,
            lambda_=lambda_ or lambda_for(self.params.eta_q24, weight_sum),
            update_root=record.update_root,
        )
        return commit_id

    def run_round(self, *steps: int) -> CommitId:
        """A whole sound round; one site per step, weights 1, 2, 4…"""
        self.open_round()
        for n, step in enumerate(steps):
            self.push(SITES[n], step, weight=1 << n)
        self.close_round()
        self.accumulate()
        return self.finalize(self.make_merge())

    def begin_round(self, *steps: int) -> None:
        """A round up to where its merge is due."""
        self.open_round()
        for n, step in enumerate(steps):
            self.push(SITES[n], step, weight=1 << n)
        self.close_round()
        self.accumulate()

    def make_revert(
        self, reverts: Revert, signer: KeypairSigner = OWNER, **fields: Any
    ) -> CommitId:
        head, head_commit, manifest = self.head()
        if "weights" not in fields:
            fields["weights"] = self.put_manifest(self._reverted(manifest, reverts))
        return self.put_commit(
            signer,
            kind=CommitKind.REVERT,
            parents=(head,),
            reverts=reverts,
            events=self.event_list(head_commit),
            **fields,
        )

    def _reverted(self, manifest: Manifest, reverts: Revert) -> Manifest:
        move: MoveRecord = next(
            m
            for m in self.history.branches[self.main].moves
            if m.new_head == reverts.commit
        )
        before, after = (
            read_manifest(self.store, decode_commit(self.store.get(c.cid)).weights)
            for c in (move.old_head, move.new_head)
        )
        if reverts.kind is RevertKind.MERGE:
            return revert_merge(
                self.store, manifest, before, after, self.params.scale_exp, self.store
            )
        update = next(u for u in move.round.accepted() if u.commit_id == reverts.update)
        terms = terms_of(self.history, move.round)
        delta = verify_update(self.store, terms, update, before)[1]
        weight_sum = sum(u.weight for u in move.round.accepted())
        return revert_contributor(
            self.store,
            manifest,
            update.weight,
            delta,
            lambda_for(self.params.eta_q24, weight_sum),
            self.params.scale_exp,
            self.store,
        )

    def flip(self, cid: Cid) -> None:
        """Changes one bit of a block as it lies in the store."""
        block = bytearray(self.store._blocks[cid])
        block[-1] ^= 1
        self.store._blocks[cid] = bytes(block)
