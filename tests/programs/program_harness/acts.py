"""A call of every instruction, valid where the state allows it."""

from collections.abc import Iterable, Mapping
from typing import Any

from solders.instruction import AccountMeta
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from program_harness.call import CONFIG, PROGRAM_DATA, SYSTEM_ID, Call, wallet
from program_harness.chain import Chain
from program_harness.spot import Spot, find_repo
from program_harness.values import GENESIS, POINTS, digest


def config_create(chain: Chain, **arguments: Any) -> Call:
    """The upgrade authority makes the Config."""
    admin = chain.party("upgrade authority")
    return Call(
        "config_create",
        {
            "admin": admin.pubkey(),
            "config": CONFIG,
            "program_data": PROGRAM_DATA,
            "system": SYSTEM_ID,
        },
        {
            "treasury": wallet("treasury").pubkey(),
            "fee_bps": 250,
            "pause_bits": 0,
            "genesis_tag": GENESIS,
        }
        | arguments,
        {"admin": admin},
    )


def config_set(chain: Chain, **arguments: Any) -> Call:
    """The admin changes the Config."""
    admin = chain.party("upgrade authority")
    return Call(
        "config_set",
        {"admin": admin.pubkey(), "config": CONFIG},
        {"treasury": wallet("treasury").pubkey(), "fee_bps": 250, "pause_bits": 0}
        | arguments,
        {"admin": admin},
    )


def repo_create(chain: Chain, name: bytes = b"heart", creator: str = "owner") -> Call:
    """Somebody makes a repository."""
    payer, key = chain.party("payer"), chain.party(creator)
    return Call(
        "repo_create",
        {
            "payer": payer.pubkey(),
            "creator": key.pubkey(),
            "config": CONFIG,
            "repo": find_repo(key.pubkey(), name),
            "system": SYSTEM_ID,
        },
        {"name": name, "points_per_merge": POINTS},
        {"payer": payer, "creator": key},
    )


class Acts(Spot):
    """Calls that act on a branch; tests change them from there."""

    __slots__ = ()

    def policy_create(self, **params: Any) -> Call:
        """The owner makes the next policy."""
        index = self.chain.read(self.repo).policy_count
        return Call(
            "policy_create",
            {
                "payer": self.payer.pubkey(),
                "actor": self.owner.pubkey(),
                "role": None,
                "config": CONFIG,
                "repo": self.repo,
                "policy": self.find_policy(index),
                "system": SYSTEM_ID,
            },
            {"params": self.params | params},
            {"payer": self.payer, "actor": self.owner},
        )

    def branch_create(self, *, protected: int = 0, first_round: int = 1) -> Call:
        """The owner makes the branch."""
        return Call(
            "branch_create",
            {
                "payer": self.payer.pubkey(),
                "actor": self.owner.pubkey(),
                "role": None,
                "config": CONFIG,
                "repo": self.repo,
                "policy": self.policy,
                "branch": self.branch,
                "system": SYSTEM_ID,
            },
            {
                "name": self.branch_name,
                "policy_index": self.policy_index,
                "protected": protected,
                "first_round": first_round,
            },
            {"payer": self.payer, "actor": self.owner},
        )

    def branch_set_policy(self, index: int) -> Call:
        """The owner names the policy of the next round."""
        return Call(
            "branch_set_policy",
            {
                "actor": self.owner.pubkey(),
                "role": None,
                "config": CONFIG,
                "repo": self.repo,
                "branch": self.branch,
                "policy": self.find_policy(index),
            },
            {"policy_index": index},
            {"actor": self.owner},
        )

    def branch_advance(self, kind: int, new_head: bytes) -> Call:
        """The owner moves the head from where it is."""
        return Call(
            "branch_advance",
            {
                "actor": self.owner.pubkey(),
                "role": None,
                "config": CONFIG,
                "repo": self.repo,
                "branch": self.branch,
            },
            {
                "kind": kind,
                "expected_head": self.head,
                "expected_seq": self.head_seq,
                "new_head": new_head,
            },
            {"actor": self.owner},
        )

    def branch_merge(self, new_head: bytes, *merged: bytes) -> Call:
        """The owner moves the head to a merge of models."""
        return Call(
            "branch_merge",
            {
                "actor": self.owner.pubkey(),
                "role": None,
                "config": CONFIG,
                "repo": self.repo,
                "branch": self.branch,
            },
            {
                "expected_head": self.head,
                "expected_seq": self.head_seq,
                "new_head": new_head,
                "merged": b"".join(merged).ljust(512, b"\0"),
            },
            {"actor": self.owner},
        )

    def role_grant(
        self,
        grantee: str,
        scope: int,
        *,
        branch: Pubkey | None = None,
        expires_at: int = 0,
    ) -> Call:
        """The owner gives a role."""
        address = self.chain.party(grantee).pubkey()
        return Call(
            "role_grant",
            {
                "payer": self.payer.pubkey(),
                "actor": self.owner.pubkey(),
                "role": None,
                "config": CONFIG,
                "repo": self.repo,
                "branch": branch,
                "new_role": self.find_role(address, branch),
                "system": SYSTEM_ID,
            },
            {"grantee": address, "scope": scope, "expires_at": expires_at},
            {"payer": self.payer, "actor": self.owner},
        )

    def role_revoke(self, grantee: str, *, branch: Pubkey | None = None) -> Call:
        """The owner takes a role back."""
        return Call(
            "role_revoke",
            {
                "actor": self.owner.pubkey(),
                "role": None,
                "repo": self.repo,
                "old_role": self.find_role(wallet(grantee).pubkey(), branch),
                "rent_payer": self.payer.pubkey(),
            },
            {},
            {"actor": self.owner},
        )

    def with_role(
        self,
        call: Call,
        who: str,
        scope: int,
        *,
        signer: str = "actor",
        branch: Pubkey | None = None,
        expires_at: int = 0,
    ) -> Call:
        """Grants a role and lets its holder make the call instead."""
        self.chain.send(
            self.role_grant(who, scope, branch=branch, expires_at=expires_at)
        )
        key = self.chain.party(who)
        role = self.find_role(key.pubkey(), branch)
        return call.signed_by(**{signer: key}).with_accounts(role=role)

    def round_open(self) -> Call:
        """The payer opens the next round."""
        opener = self.chain.party("round payer")
        return Call(
            "round_open",
            {
                "payer": opener.pubkey(),
                "config": CONFIG,
                "repo": self.repo,
                "branch": self.branch,
                "policy": self.policy,
                "round": self.round,
                "system": SYSTEM_ID,
            },
            {},
            {"payer": opener},
        )

    def _call(self, name: str, signers: Mapping[str, Keypair], **more: Any) -> Call:
        """A call whose accounts are the place's, save those given."""
        arguments = more.pop("arguments", {})
        known = {
            "config": CONFIG,
            "repo": self.repo,
            "branch": self.branch,
            "policy": self.policy,
            "system": SYSTEM_ID,
            "role": None,
            "delegation": None,
            **{signer: key.pubkey() for signer, key in signers.items()},
            **more,
        }
        return Call(name, known, arguments, signers)

    def round_close(self) -> Call:
        """Anyone closes the live round."""
        return self._call("round_close", {"actor": self.anyone}, round=self.round)

    def round_abort(self, index: int | None = None) -> Call:
        """Anyone aborts a round."""
        at = self.round_index if index is None else index
        return self._call(
            "round_abort",
            {"actor": self.anyone},
            round=self.find_round(at),
            round_payer=wallet("round payer").pubkey(),
        )

    def update_push(
        self, who: str, *, weight: int = 1, commit: str = "", by: str = ""
    ) -> Call:
        """A contributor pushes, or a key that it delegated to; its sponsor pays."""
        update = self.find_update(who)
        return self._call(
            "update_push",
            {"payer": self.payer, "signer": self.chain.party(by or who)},
            contributor=self.chain.party(who).pubkey(),
            delegation=self.find_delegation(who, by) if by else None,
            round=self.round,
            update=update,
            contribution=self.find_contribution(who),
            arguments={
                "commit_id": digest(commit or f"{who} {self.round}"),
                "expected_base": self.head,
                "weight": weight,
                "payload_digest": digest(f"delta {who}"),
                "nonce": digest(f"nonce {who}")[:16],
            },
        )

    def update_withdraw(self, who: str) -> Call:
        """A contributor takes its update back."""
        return self._call(
            "update_withdraw",
            {"actor": self.chain.party(who)},
            round=self.round,
            update=self.find_update(who),
            rent_payer=self.payer.pubkey(),
        )

    def update_reject(self, who: str, reason: int = 1) -> Call:
        """The owner strikes an update."""
        return self._call(
            "update_reject",
            {"authority": self.owner},
            round=self.round,
            update=self.find_update(who),
            arguments={"reason": reason},
        )

    def _ended(self, name: str, who: str, index: int | None) -> Call:
        at = self.round_index if index is None else index
        return self._call(
            name,
            {"actor": self.anyone},
            round=self.find_round(at),
            update=self.find_update(who, at),
            contribution=self.find_contribution(who),
            rent_payer=self.payer.pubkey(),
            round_payer=wallet("round payer").pubkey(),
        )

    def update_expire(self, who: str, index: int | None = None) -> Call:
        """Anyone closes an update of a round without merge."""
        return self._ended("update_expire", who, index)

    def update_settle(self, who: str, index: int | None = None) -> Call:
        """Anyone settles an update of a merged round."""
        return self._ended("update_settle", who, index)

    def merge_accumulate(self, who: Iterable[str]) -> Call:
        """Anyone adds updates, in the order given."""
        more = tuple(AccountMeta(self.find_update(name), False, True) for name in who)
        call = self._call("merge_accumulate", {"actor": self.anyone}, round=self.round)
        return Call(call.name, call.accounts, {}, call.signers, more)

    def merge_propose(self, commit: str = "merge") -> Call:
        """The owner proposes a merge commit."""
        return self._call(
            "merge_propose",
            {"payer": self.payer, "proposer": self.owner},
            proposer_update=None,
            round=self.round,
            candidate=self.find_candidate(digest(commit)),
            arguments={
                "commit_id": digest(commit),
                "expected_head": self.head,
                "expected_seq": self.head_seq,
            },
        )

    def merge_finalize(self, commit: str = "merge") -> Call:
        """Anyone makes a candidate the head."""
        return self._call(
            "merge_finalize",
            {"actor": self.anyone},
            round=self.round,
            candidate=self.find_candidate(digest(commit)),
            candidate_payer=self.payer.pubkey(),
            arguments={"expected_head": self.head, "expected_seq": self.head_seq},
        )

    def merge_expire(self, commit: str = "merge", index: int | None = None) -> Call:
        """Anyone closes a candidate of a finished round."""
        return self._call(
            "merge_expire",
            {"actor": self.anyone},
            candidate=self.find_candidate(digest(commit), index),
            candidate_payer=self.payer.pubkey(),
        )
