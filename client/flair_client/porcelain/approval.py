"""The second person's yes to what would leave, and the gate in front of every push."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flair_client.audit import AuditKind
from flair_client.chain.signer import verify_signature
from flair_client.context import Context
from flair_client.errors import (
    ApprovalMissing,
    IdentifierInvalid,
    Refused,
    SignatureInvalid,
    SiteRefused,
    WorkspaceError,
)
from flair_client.ids import Address, CommitId, Digest
from flair_client.objects import Commit, CommitKind
from flair_client.porcelain.auditing import write_push
from flair_client.porcelain.checkout import recipe_at
from flair_client.porcelain.outbox import Outbox, PendingCommit, outbox
from flair_client.porcelain.protection import charge_for, has_noise
from flair_client.porcelain.pushed import store_digest
from flair_client.porcelain.transfer import Outgoing
from flair_client.store.base import Store
from flair_client.workspace import Workspace, read_table, write_table

_RULE = "limits.second_approver"


@dataclass(frozen=True, slots=True)
class Approval:
    """A second person's signature over an outbox.

    Attributes:
        outbox: digest of what was approved.
        time: seconds since 1970, the approver's claim.
        file: where it is kept.
    """

    commit: CommitId
    outbox: Digest
    approver: Address
    time: int
    file: Path


def approval_text(digest: Digest) -> bytes:
    """What an approver signs: text, so that any wallet can show it."""
    return f"flair approval v1 {digest}".encode("ascii")


def approve_outbox(ctx: Context, workspace: Workspace) -> Approval:
    """Signs what the next push sends, as the second person.

    Raises:
        Refused: the wallet is the commit's own or its contributor's, or not one of the
            site's approvers.
        WorkspaceError: nothing was committed.
    """
    with workspace.lock():
        planned = outbox(ctx, workspace)
        wallet = ctx.wallet
        if wallet.address in (planned.author, planned.contributor):
            raise Refused(
                "whoever signed the commit, or contributes it, cannot be its second "
                "person"
            )
        approvers = ctx.site.second_approver
        if approvers and wallet.address not in approvers:
            raise SiteRefused(_RULE, f"wallet {wallet.address} is no approver here")
        path = approval_file(workspace, planned.commit)
        time = ctx.now()
        table = {
            "commit": str(planned.commit),
            "outbox": str(planned.digest),
            "approver": str(wallet.address),
            "time": time,
            "signature": wallet.sign(approval_text(planned.digest)).hex(),
        }
        ctx.write_audit(AuditKind.APPROVAL, **table)
        write_table(path, table)
    return Approval(planned.commit, planned.digest, wallet.address, time, path)


def require_approval(ctx: Context, workspace: Workspace, planned: Outbox) -> None:
    """Refuses a push that the site's second person did not approve as it is.

    Raises:
        ApprovalMissing: there is no valid approval of exactly this.
    """
    approvers = ctx.site.second_approver
    if not approvers:
        return
    table = read_table(approval_file(workspace, planned.commit))
    if table is None:
        raise ApprovalMissing(_RULE, "this push needs a second person's approval")
    fault = _fault(table, planned, approvers)
    if fault is not None:
        raise ApprovalMissing(_RULE, f"the approval does not count: {fault}")


def _fault(
    table: dict[str, Any], planned: Outbox, approvers: tuple[Address, ...]
) -> str | None:
    try:
        approver = Address.parse(str(table["approver"]))
        signature = bytes.fromhex(str(table["signature"]))
    except (KeyError, ValueError, IdentifierInvalid):
        return "its file is damaged"
    if approver == planned.author:
        return "it is by the commit's own author"
    if approver == planned.contributor:
        return "it is by the wallet that contributes the commit"
    if approver not in approvers:
        return f"wallet {approver} is no approver here"
    try:
        verify_signature(approver, approval_text(planned.digest), signature)
    except SignatureInvalid:
        return "it was signed over something else than what would leave now"
    return None


def approval_file(workspace: Workspace, commit_id: CommitId) -> Path:
    """Where the approval of a commit's push is kept."""
    return workspace.state_folder / "approvals" / f"{commit_id}.toml"


def let_out(
    ctx: Context,
    workspace: Workspace,
    store: Store,
    pending: PendingCommit,
    planned: Outbox,
) -> None:
    """The last gate: every rule, then budget and audit log, before the first byte.

    Raises:
        SiteRefused: a rule of the site forbids it; ApprovalMissing where the second
            person is missing.
        BudgetSpent: the data source has given away what it may.
        OSError: ledger or audit log cannot be written.
    """
    _check_site(ctx, store, pending.commit)
    require_approval(ctx, workspace, planned)
    charge_for(ctx, pending.commit_id, pending.commit, planned.repo, pending.source)
    privacy = pending.commit.privacy
    write_push(
        ctx,
        planned.repo,
        planned.blocks,
        branch=planned.branch,
        commit=str(planned.commit),
        outbox=str(planned.digest),
        transactions=[[one.instruction, one.data] for one in planned.transactions],
        source=pending.source,
        epsilon=None if privacy is None else privacy.epsilon,
        delta=None if privacy is None else privacy.delta,
    )


def let_values_out(
    ctx: Context, repo: str, commit_id: CommitId, blocks: Iterable[Outgoing], to: str
) -> None:
    """The gate before values that were held back: approved with their commit.

    Args:
        ctx: with the site's rules.
        repo: for the audit log, as the next two.
        commit_id: whose values they are.
        blocks: of the commit.
        to: digest of the store that they were approved for.

    Raises:
        ApprovalMissing: they would go to another store.
        OSError: the audit log cannot be written.
    """
    if ctx.site.second_approver and to != store_digest(ctx):
        raise ApprovalMissing(_RULE, "the held values were approved for another store")
    write_push(ctx, repo, blocks, commit=str(commit_id))


def refuse_unseen(ctx: Context) -> None:
    """Refuses a first model where the site asks for a second person.

    There is nothing to approve yet: its root commit names events that the chain makes
    on the way.

    Raises:
        SiteRefused: the site names second approvers.
    """
    if ctx.site.second_approver:
        raise SiteRefused(
            _RULE,
            "a first model leaves without a second person's look, and this site asks "
            "for it",
        )


def _check_site(ctx: Context, store: Store, commit: Commit) -> None:
    site = ctx.site
    for url in (ctx.network.store_url, ctx.network.rpc_url):
        site.check_url(url)
    site.check_metrics(commit.metrics or ())
    if commit.kind is not CommitKind.UPDATE:
        return
    if commit.privacy is None or commit.training is None:
        raise WorkspaceError("the commit does not say how it was made")
    site.check_commit(
        mode=0,
        recipe=Digest((commit.recipe or recipe_at(store, commit.parents[0])).digest),
        # The commit knows the bucket alone: no more rows than this stand behind it.
        num_samples=2 * commit.training.samples_bucket - 1,
        has_noise=has_noise(site, commit.privacy),
    )
    if commit.privacy.delta is not None:
        site.check_delta(commit.privacy.delta)
