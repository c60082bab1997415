"""The terms that an update is made under, kept in the workspace for offline work.

Used by several verbs, no verb itself.
"""

import math
from dataclasses import dataclass

from flair_client.chain.accounts import (
    PolicyAccount,
    RawAccount,
    RoundState,
    decode_account_as,
    encode_account,
)
from flair_client.context import Context
from flair_client.errors import AccountInvalid, IdentifierInvalid, WorkspaceError
from flair_client.ids import Address, CommitId
from flair_client.porcelain.target import BranchTarget
from flair_client.workspace import Workspace

_MARKER = "terms"
# What reading a table of the workspace's own raises that somebody damaged.
DAMAGE = (KeyError, TypeError, ValueError, IdentifierInvalid, AccountInvalid)


@dataclass(frozen=True, slots=True)
class Terms:
    """What a branch asks of the next update.

    Attributes:
        repo: the repository's account.
        base: the head that it is made on.
        round_index: of the round in progress, or else of the next one.
        policy: of that round.
        authority: the owner, and how often the owner changed.
    """

    repo: Address
    branch: str
    base: CommitId
    round_index: int
    policy: PolicyAccount
    authority: Address
    authority_epoch: int

    @property
    def is_statistics(self) -> bool:
        """Whether the round collects statistics and trains nothing."""
        return self.round_index == 0

    @property
    def norm_bound(self) -> float:
        """Length that an update may have, in units of the weights."""
        params = self.policy.params
        return math.sqrt(params.norm_bound_sq) * 2.0**params.scale_exp


def terms_now(place: BranchTarget) -> Terms:
    """Reads the terms from the chain; a round in progress has its own policy."""
    account = place.account
    index = account.policy_index
    if account.round_live:
        index = place.round(account.round_index).account.policy_index
    return Terms(
        repo=place.repo.address,
        branch=account.name,
        base=account.head_commit,
        round_index=account.round_index,
        policy=place.policy(index),
        authority=place.repo.account.authority,
        authority_epoch=place.repo.account.authority_epoch,
    )


def is_open(place: BranchTarget) -> bool:
    """Whether a round is in progress and takes updates."""
    if not place.account.round_live:
        return False
    return place.round(place.account.round_index).account.state is RoundState.OPEN


def save_terms(workspace: Workspace, terms: Terms) -> None:
    """Keeps the terms in the workspace."""
    workspace.set_marker(
        _MARKER,
        {
            "repo": str(terms.repo),
            "branch": terms.branch,
            "base": str(terms.base),
            "round_index": terms.round_index,
            "policy": encode_account(terms.policy).hex(),
            "authority": str(terms.authority),
            "authority_epoch": terms.authority_epoch,
        },
    )


def has_terms(workspace: Workspace) -> bool:
    """Whether terms are kept in the workspace.

    Raises:
        WorkspaceError: their file was damaged.
    """
    return workspace.marker(_MARKER) is not None


def saved_terms(ctx: Context, workspace: Workspace) -> Terms:
    """Gives the terms as they were at the last clone, pull or push.

    Raises:
        WorkspaceError: there are none yet, or they were damaged.
    """
    table = workspace.marker(_MARKER)
    if table is None:
        raise WorkspaceError("the terms of the round are not known yet")
    try:
        repo = Address.parse(table["repo"])
        return Terms(
            repo=repo,
            branch=str(table["branch"]),
            base=CommitId.parse(table["base"]),
            round_index=int(table["round_index"]),
            policy=policy_from_bytes(ctx, bytes.fromhex(table["policy"])),
            authority=Address.parse(table["authority"]),
            authority_epoch=int(table["authority_epoch"]),
        )
    except DAMAGE as exc:
        raise WorkspaceError(f"the kept terms are damaged: {exc}") from exc


def policy_from_bytes(ctx: Context, data: bytes) -> PolicyAccount:
    """Reads a policy's account data.

    Raises:
        AccountInvalid: it is none.
    """
    raw = RawAccount(Address(bytes(32)), ctx.program_id, 0, data)
    return decode_account_as(PolicyAccount, raw, ctx.program_id)
