"""Delegations: keys of machines that push for a wallet until they expire."""

from dataclasses import dataclass
from pathlib import Path

from flair_client.audit import AuditKind
from flair_client.chain import instructions
from flair_client.chain.accounts import DelegationAccount
from flair_client.chain.instructions import Instruction
from flair_client.chain.pdas import find_delegation_pda
from flair_client.context import Context
from flair_client.errors import AccountMissing, NotDelegated
from flair_client.ids import Address
from flair_client.porcelain.target import RepoTarget, find_repo
from flair_client.repo_address import RepoAddress


@dataclass(frozen=True, slots=True)
class Delegation:
    """A machine key that may push for a wallet.

    Attributes:
        created_at, expires_at: seconds since 1970.
        holds: whether it has not expired.
    """

    wallet: Address
    machine_key: Address
    created_at: int
    expires_at: int
    holds: bool


@dataclass(frozen=True, slots=True)
class DelegationList:
    """The delegations of a repository, by wallet."""

    repo: RepoAddress
    delegations: tuple[Delegation, ...]


@dataclass(frozen=True, slots=True)
class Delegated:
    """A new delegation.

    Attributes:
        replaced: the machine key that may not push any more; None where there is none.
    """

    repo: RepoAddress
    wallet: Address
    machine_key: Address
    expires_at: int
    replaced: Address | None
    tx_signature: str


@dataclass(frozen=True, slots=True)
class DelegationRevoked:
    """A delegation that was taken back."""

    repo: RepoAddress
    wallet: Address
    machine_key: Address
    tx_signature: str


def require_delegation(target: RepoTarget, contributor: Address) -> None:
    """Checks before anything leaves that the wallet may push for a contributor.

    Raises:
        NotDelegated: it may not, or not any more.
    """
    ctx = target.ctx
    machine_key = ctx.wallet.address
    if contributor == machine_key:
        return
    found = ctx.chain.delegation(target.address, contributor, machine_key)
    if found is None:
        raise NotDelegated(f"{contributor} has not delegated to {machine_key} here")
    if found.expires_at <= ctx.now():
        raise NotDelegated(
            f"the delegation of {contributor} to {machine_key} has expired"
        )


def delegation_create(
    ctx: Context, repo: RepoAddress, machine_key: Address, *, lasts_s: int
) -> Delegated:
    """Lets a machine's key push for the wallet in one repository.

    A delegation to this key that is there already, expired or not, is replaced by the
    new one in the same transaction.

    Args:
        ctx: with the wallet that delegates.
        repo: the repository.
        machine_key: address of the key.
        lasts_s: for how long, from now; at most 366 days.

    Raises:
        ProgramRefused: the key is the wallet's own, or it would last too long.
        SponsorRefused, NoSponsor: where a sponsor is to pay.
    """
    target = find_repo(ctx, repo)
    expires_at = ctx.now() + lasts_s
    _write_down(target, "delegate", key=machine_key, expires_at=expires_at)
    before = ctx.chain.delegation(target.address, ctx.wallet.address, machine_key)
    steps = [] if before is None else [_revoke(target, before)]
    steps.append(_create(target, machine_key, expires_at))
    sent = ctx.send(steps, payer=target.payer)
    return Delegated(
        *(repo, ctx.wallet.address, machine_key, expires_at, None),
        str(sent.signature),
    )


def delegation_rotate(
    ctx: Context,
    repo: RepoAddress,
    old_key: Address,
    machine_key: Address,
    *,
    lasts_s: int,
) -> Delegated:
    """Puts a new machine key in the place of an old one, in one transaction.

    The same key again is let push for longer, also where its time is over.

    Raises:
        AccountMissing: the old key has no delegation.
        ProgramRefused: as for `delegation_create`.
    """
    target = find_repo(ctx, repo)
    wallet = ctx.wallet.address
    old = _find(target, wallet, old_key)
    expires_at = ctx.now() + lasts_s
    _write_down(
        target, "delegate", key=machine_key, expires_at=expires_at, replaces=old_key
    )
    # First the old one goes: the same key cannot have two.
    sent = ctx.send(
        [_revoke(target, old), _create(target, machine_key, expires_at)],
        payer=target.payer,
    )
    replaced = None if old_key == machine_key else old_key
    return Delegated(
        repo, wallet, machine_key, expires_at, replaced, str(sent.signature)
    )


def delegation_revoke(
    ctx: Context,
    repo: RepoAddress,
    machine_key: Address,
    *,
    wallet: Address | None = None,
) -> DelegationRevoked:
    """Takes a delegation back; its rent goes to whoever paid it.

    Args:
        ctx: with the wallet that delegated, or the machine key; with any wallet once
            the delegation has expired.
        repo: the repository.
        machine_key: address of the key.
        wallet: whose delegation; without it that of the wallet in use.

    Raises:
        AccountMissing: there is no such delegation.
        ProgramRefused: the wallet may not.
    """
    target = find_repo(ctx, repo)
    found = _find(target, wallet or ctx.wallet.address, machine_key)
    _write_down(target, "undelegate", key=machine_key)
    sent = ctx.send([_revoke(target, found)], payer=target.payer)
    return DelegationRevoked(repo, found.wallet, found.key, str(sent.signature))


def delegation_list(ctx: Context, repo: RepoAddress) -> DelegationList:
    """Lists the delegations of a repository, also those that have expired."""
    target = find_repo(ctx, repo)
    now = ctx.now()
    return DelegationList(
        repo,
        tuple(
            Delegation(
                *(one.wallet, one.key, one.created_at, one.expires_at),
                holds=now < one.expires_at,
            )
            for one in ctx.chain.delegations(target.address)
        ),
    )


def machine_key_address(text: str) -> Address:
    """Reads the address of a machine key, or of the key in a file.

    Raises:
        IdentifierInvalid: neither an address nor the path of a file that is there.
        WalletError: the file cannot be used.
    """
    path = Path(text).expanduser()
    if text.endswith(".json") or "/" in text or path.is_file():
        from flair_client.chain.signer import load_wallet

        return load_wallet(path).address
    return Address.parse(text)


def _find(target: RepoTarget, wallet: Address, key: Address) -> DelegationAccount:
    found = target.ctx.chain.delegation(target.address, wallet, key)
    if found is None:
        program_id = target.ctx.program_id
        address = find_delegation_pda(target.address, wallet, key, program_id)[0]
        of = f"of {wallet} to {key} in {target.name.at(None)}"
        raise AccountMissing(address, "delegation", of)
    return found


def _write_down(target: RepoTarget, verb: str, **details: Address | int) -> None:
    told = {
        name: str(value) if isinstance(value, Address) else value
        for name, value in details.items()
    }
    target.ctx.write_audit(
        AuditKind.MEMBER, verb=verb, repo=str(target.name.at(None)), **told
    )


def _create(target: RepoTarget, machine_key: Address, expires_at: int) -> Instruction:
    return instructions.delegation_create(
        payer=target.payer,
        wallet=target.ctx.wallet.address,
        repo=target.address,
        machine_key=machine_key,
        expires_at=expires_at,
        program_id=target.ctx.program_id,
    )


def _revoke(target: RepoTarget, found: DelegationAccount) -> Instruction:
    return instructions.delegation_revoke(
        actor=target.ctx.wallet.address,
        wallet=found.wallet,
        repo=target.address,
        machine_key=found.key,
        rent_payer=found.rent_payer,
        program_id=target.ctx.program_id,
    )
