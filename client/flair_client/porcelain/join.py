"""Joins a repository: by a link, or by asking the owner."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from flair_client.audit import AuditKind
from flair_client.chain import instructions
from flair_client.chain.accounts import InviteAccount, JoinRequestAccount, Scope
from flair_client.chain.pdas import find_join_request_pda
from flair_client.chain.signer import KeypairSigner
from flair_client.config_file import write_config
from flair_client.context import Context
from flair_client.errors import (
    AccountMissing,
    BlockMissing,
    FlairError,
    InviteGone,
    RequestWaits,
    UsageError,
)
from flair_client.ids import CODEC_RAW, ZERO_ADDRESS, Address, Cid, Digest
from flair_client.invite_link import InviteLink
from flair_client.porcelain.auditing import scope_words
from flair_client.porcelain.clone import Cloned, clone, require_room
from flair_client.porcelain.target import RepoTarget, find_repo
from flair_client.repo_address import RepoAddress
from flair_client.workspace import Workspace

NOTE_LIMIT: Final = 2_000
_NO_NOTE: Final = Digest(bytes(32))


@dataclass(frozen=True, slots=True)
class Joined:
    """A role taken by an invite, and the clone that goes with it.

    Attributes:
        branch: where the role holds; None is the whole repository.
        expires_at: seconds since 1970; None is never.
        paid_by: who paid fee and rent; None where nothing had to be paid.
        tx_signature: None where the wallet had the role before.
        cloned: the workspace; None where none was wanted.
    """

    repo: RepoAddress
    wallet: Address
    branch: str | None
    scope: Scope
    expires_at: int | None
    paid_by: Address | None
    tx_signature: str | None
    cloned: Cloned | None


@dataclass(frozen=True, slots=True)
class Requested:
    """A request to join that waits for an answer."""

    repo: RepoAddress
    wallet: Address
    branch: str | None
    scope: Scope
    note: str | None
    tx_signature: str


@dataclass(frozen=True, slots=True)
class JoinRequest:
    """A request as the owner sees it.

    Attributes:
        note: the applicant's words; None where there are none.
        note_problem: why they cannot be shown.
    """

    wallet: Address
    branch: str | None
    scope: Scope
    requested_at: int
    note: str | None
    note_problem: str | None


@dataclass(frozen=True, slots=True)
class JoinRequestList:
    """The requests that wait for an answer, oldest first."""

    repo: RepoAddress
    requests: tuple[JoinRequest, ...]


@dataclass(frozen=True, slots=True)
class RequestClosed:
    """A request that is gone: declined, or withdrawn."""

    repo: RepoAddress
    wallet: Address
    tx_signature: str


def join(
    ctx: Context,
    link: InviteLink,
    folder: Path | None,
    *,
    trust: bool = False,
) -> Joined:
    """Takes the role that a link offers, then fetches the repository.

    Run again after a kill it goes on: a role that the wallet has already is not taken
    twice.

    Args:
        ctx: with the wallet that joins.
        link: the invitation; its sponsor goes before the one of the settings.
        folder: of the new workspace; None makes none.
        trust: whether to accept recipe, policy and owner without a look.

    Raises:
        InviteGone: used up, revoked, or never made.
        ProgramRefused: it has expired.
        SponsorRefused, SponsorUnavailable: the sponsor of the link does not pay.
        UsageError, VerificationError: as `clone`.
    """
    if link.sponsor_url is not None:
        ctx = replace(ctx, sponsor_url=link.sponsor_url)
    if folder is not None:
        # The link may work once: nothing that is known beforehand may use it up.
        require_room(folder, link.repo)
    target = find_repo(ctx, link.repo)
    signer = KeypairSigner(link.seed)
    invite = ctx.chain.invite(target.address, signer.address)
    held = _held_role(target, invite)
    tx_signature = None
    if held is None:
        if invite is None:
            raise InviteGone("the invite is used up, revoked, or was never made")
        tx_signature = _redeem(target, invite, signer)
        held = (invite.scope, invite.branch, invite.role_expires_at)
    scope, branch, expires_at = held
    cloned = None
    if folder is not None:
        cloned = clone(ctx, link.repo, folder, trust=trust)
        _keep_sponsor(Workspace(folder.absolute()), ctx.sponsor_url)
    return Joined(
        repo=link.repo,
        wallet=ctx.wallet.address,
        branch=_branch_name(target, branch),
        scope=scope,
        expires_at=expires_at or None,
        paid_by=None if tx_signature is None else target.payer,
        tx_signature=tx_signature,
        cloned=cloned,
    )


def _held_role(
    target: RepoTarget, invite: InviteAccount | None
) -> tuple[Scope, Address, int] | None:
    """Gives scope, branch and expiry of the role that the wallet has already.

    Without an invite that tells the branch, any role that holds counts: the link was
    used up, perhaps by this very wallet.
    """
    ctx = target.ctx
    branch = None
    if invite is not None and invite.branch != ZERO_ADDRESS:
        branch = invite.branch
    role = ctx.chain.role_for(target.address, branch, ctx.wallet.address)
    roles = [] if role is None else [role]
    if invite is None:
        roles += [
            one
            for one in ctx.chain.roles(target.address)
            if one.grantee == ctx.wallet.address
        ]
    for one in roles:
        is_void = one.authority_epoch != target.account.authority_epoch
        is_over = one.expires_at != 0 and one.expires_at <= ctx.now()
        is_less = invite is not None and bool(invite.scope & ~one.scope)
        if not (is_void or is_over or is_less):
            return one.scope, one.branch, one.expires_at
    return None


def _redeem(target: RepoTarget, invite: InviteAccount, signer: KeypairSigner) -> str:
    ctx = target.ctx
    ctx.write_audit(
        AuditKind.MEMBER,
        verb="join",
        repo=str(target.name),
        invite=str(invite.key),
        scope=scope_words(invite.scope),
        paid_by=str(target.payer),
    )
    sent = ctx.send(
        [
            instructions.invite_redeem(
                payer=target.payer,
                grantee=ctx.wallet.address,
                repo=target.address,
                invite_key=invite.key,
                invite_payer=invite.rent_payer,
                branch=None if invite.branch == ZERO_ADDRESS else invite.branch,
                program_id=ctx.program_id,
            )
        ],
        payer=target.payer,
        more=[signer],
    )
    return str(sent.signature)


def _keep_sponsor(workspace: Workspace, url: str | None) -> None:
    """Later pushes from the new workspace are paid by the same sponsor."""
    if url is not None:
        write_config(workspace.state_folder / "config.local", {"sponsor.url": url})


def join_request(
    ctx: Context,
    repo: RepoAddress,
    *,
    scope: Scope = Scope.CONTRIBUTE,
    branch: str | None = None,
    note: str | None = None,
) -> Requested:
    """Asks the owner for a role.

    Args:
        ctx: with the wallet that asks; it pays, or a sponsor does.
        repo: the repository.
        scope: what is asked for; never to administer.
        branch: where; None is the whole repository.
        note: words for the owner, which everybody can read.

    Raises:
        UsageError: the note is too long.
        RequestWaits: the wallet has asked already.
    """
    target = find_repo(ctx, repo)
    if ctx.chain.join_request(target.address, ctx.wallet.address) is not None:
        raise RequestWaits(f"{ctx.wallet.address} has asked to join already")
    block = None if note is None else _note_block(note)
    told = {"scope": scope_words(scope), "branch": branch, "note": note}
    ctx.write_audit(AuditKind.MEMBER, verb="request", repo=str(target.name), **told)
    digest = _NO_NOTE
    if block is not None:
        digest = Digest(ctx.remote.put(CODEC_RAW, block).digest)
    sent = ctx.send(
        [
            instructions.join_request(
                payer=target.payer,
                applicant=ctx.wallet.address,
                repo=target.address,
                scope=scope,
                note_digest=digest,
                branch=None if branch is None else target.branch(branch).address,
                program_id=ctx.program_id,
            )
        ],
        payer=target.payer,
    )
    wallet = ctx.wallet.address
    return Requested(repo, wallet, branch, scope, note, str(sent.signature))


def _note_block(note: str) -> bytes:
    block = note.encode()
    if not block.strip() or len(block) > NOTE_LIMIT:
        raise UsageError(f"a note has 1 to {NOTE_LIMIT} bytes, this one {len(block)}")
    return block


def join_request_list(ctx: Context, repo: RepoAddress) -> JoinRequestList:
    """Lists the requests that wait for an answer, with the applicants' words."""
    target = find_repo(ctx, repo)
    names = target.branch_names()

    def shown(one: JoinRequestAccount) -> JoinRequest:
        note, problem = _note(ctx, one.note_digest)
        whole = one.branch == ZERO_ADDRESS
        return JoinRequest(
            wallet=one.applicant,
            branch=None if whole else names.get(one.branch, str(one.branch)),
            scope=one.scope,
            requested_at=one.requested_at,
            note=note,
            note_problem=problem,
        )

    found = ctx.chain.join_requests(target.address)
    return JoinRequestList(repo, tuple(map(shown, found)))


def _note(ctx: Context, digest: Digest) -> tuple[str | None, str | None]:
    if digest == _NO_NOTE:
        return None, None
    try:
        block = ctx.remote.get(Cid(CODEC_RAW, digest.raw), max_size=NOTE_LIMIT)
        return block.decode("utf-8"), None
    except BlockMissing:
        return None, "not in the store"
    except (FlairError, UnicodeDecodeError) as exc:
        return None, str(exc)


def join_request_close(
    ctx: Context, repo: RepoAddress, applicant: Address | None = None
) -> RequestClosed:
    """Declines a request, or withdraws one's own; rent goes to whoever paid it.

    Args:
        ctx: with the wallet of the owner, an administrator, or the applicant.
        repo: the repository.
        applicant: whose request; without it that of the wallet in use.

    Raises:
        AccountMissing: there is no such request.
        ProgramRefused: the wallet may not.
    """
    target = find_repo(ctx, repo)
    wallet = ctx.wallet.address if applicant is None else applicant
    found = ctx.chain.join_request(target.address, wallet)
    if found is None:
        address = find_join_request_pda(target.address, wallet, ctx.program_id)[0]
        raise AccountMissing(address, "request", f"of {wallet} to join {repo.at(None)}")
    # Who asked through a sponsor may have nothing to withdraw it with.
    payer = target.payer if wallet == ctx.wallet.address else None
    sent = ctx.send([close_instruction(target, found)], payer=payer)
    return RequestClosed(repo, wallet, str(sent.signature))


def close_instruction(
    target: RepoTarget, found: JoinRequestAccount
) -> instructions.Instruction:
    """Gives what closes a request, with the right that the wallet has."""
    place = None if found.branch == ZERO_ADDRESS else found.branch
    return instructions.join_close(
        actor=target.ctx.wallet.address,
        repo=target.address,
        applicant=found.applicant,
        rent_payer=found.rent_payer,
        role=target.right(Scope.ADMINISTER, place),
        program_id=target.ctx.program_id,
    )


def _branch_name(target: RepoTarget, branch: Address) -> str | None:
    if branch == ZERO_ADDRESS:
        return None
    return target.branch_names().get(branch, str(branch))
