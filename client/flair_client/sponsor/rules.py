"""What a sponsor signs. Pure: a decoded transaction in, its cost or a refusal out.

A signature of the sponsor pays. So whatever is not known to pay only for joining and
contributing is refused: other programs, other instructions, other repositories, and the
sponsor's own address anywhere but where rent is paid and comes back to.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from flair_client.chain.accounts import (
    ContributionAccount,
    DelegationAccount,
    JoinRequestAccount,
    RoleAccount,
    RoundAccount,
    UpdateAccount,
    account_size,
)
from flair_client.chain.arguments import ARGUMENTS
from flair_client.chain.instructions import (
    AccountMeta,
    account_flags,
    instruction_discriminator,
)
from flair_client.chain.layout import DISCRIMINATOR_SIZE, LayoutError, decode
from flair_client.chain.pdas import (
    SYSTEM_PROGRAM_ID,
    find_config_pda,
    find_event_authority_pda,
)
from flair_client.chain.wire import WireInstruction, WireTransaction
from flair_client.errors import SponsorRefused
from flair_client.ids import Address, Digest


class Purpose(StrEnum):
    """What money is spent on; each has a cap of its own.

    So strangers, who may ask as often as they make themselves wallets, use up what is
    set aside for requests, and nothing of what is there for invited wallets and for
    contributors.
    """

    REQUEST = "request"
    JOIN = "join"
    CONTRIBUTE = "contribute"


@dataclass(frozen=True, slots=True)
class _Sponsored:
    """An instruction that is paid for.

    Attributes:
        wallet: the slot of whoever asks, which must sign.
        made: accounts whose rent it pays.
        is_anybodys: whether the program lets wallets do it that may not contribute.
    """

    purpose: Purpose
    wallet: str
    made: tuple[type[Any], ...] = ()
    is_anybodys: bool = False


# Who opens a round does not sign for it; a signer is asked for behind its accounts.
_APPENDED: Final = "signer behind the accounts"
_SPONSORED: Final[Mapping[str, _Sponsored]] = {
    "invite_redeem": _Sponsored(Purpose.JOIN, "grantee", (RoleAccount,)),
    "join_request": _Sponsored(Purpose.REQUEST, "applicant", (JoinRequestAccount,)),
    "join_close": _Sponsored(Purpose.REQUEST, "actor"),
    "delegation_create": _Sponsored(
        Purpose.CONTRIBUTE, "wallet", (DelegationAccount,), is_anybodys=True
    ),
    "delegation_revoke": _Sponsored(Purpose.CONTRIBUTE, "actor", is_anybodys=True),
    "round_open": _Sponsored(
        Purpose.CONTRIBUTE, _APPENDED, (RoundAccount,), is_anybodys=True
    ),
    "update_push": _Sponsored(
        Purpose.CONTRIBUTE, "signer", (UpdateAccount, ContributionAccount)
    ),
    "update_withdraw": _Sponsored(Purpose.CONTRIBUTE, "actor"),
}
SPONSORED: Final = frozenset(_SPONSORED)
_NAMES: Final = {instruction_discriminator(name): name for name in _SPONSORED}
_RENT_SLOTS: Final = frozenset({"payer", "rent_payer", "invite_payer"})

COMPUTE_BUDGET_ID: Final = Address.parse("ComputeBudget111111111111111111111111111111")
# github.com/solana-program/compute-budget: tag, then u32 units or u64 micro-lamports.
_SET_LIMIT: Final = (2, 5)
_SET_PRICE: Final = (3, 9)
_MAX_UNITS: Final = 1_400_000
_DEFAULT_UNITS: Final = 200_000
_LAMPORTS_PER_SIGNATURE: Final = 5_000
# Lamports per byte for two years, and the bytes that every account costs beside its
# data: solana-rent 2.2, DEFAULT_LAMPORTS_PER_BYTE_YEAR and ACCOUNT_STORAGE_OVERHEAD.
_LAMPORTS_PER_BYTE: Final = 6_960
_OVERHEAD: Final = 128
_MAX_SIGNERS: Final = 4
_MAX_INSTRUCTIONS: Final = 4


@dataclass(frozen=True, slots=True)
class Terms:
    """For whom a sponsor signs.

    Attributes:
        sponsor: its address.
        repos: addresses of the repositories that it pays for.
        max_priority_lamports: most that one transaction may offer for being taken
            early.
    """

    sponsor: Address
    program_id: Address
    repos: frozenset[Address]
    max_priority_lamports: int


@dataclass(frozen=True, slots=True)
class Asked:
    """A transaction that may be signed where caps and chain allow it.

    Attributes:
        message: digest of the signed bytes, which names the transaction.
        wallet: who asks, and has signed.
        policy: account of the policy whose deposit is paid; None where none is.
        lamports: the most that it costs, without that deposit.
        is_anybodys: whether it would succeed for a wallet that may not contribute.
    """

    message: Digest
    purpose: Purpose
    repo: Address
    wallet: Address
    policy: Address | None
    lamports: int
    is_anybodys: bool = False


@dataclass(frozen=True, slots=True)
class _Call:
    name: str
    accounts: Mapping[str, AccountMeta]
    repo: Address
    wallet: Address


def rent_of(size: int) -> int:
    """Lamports that an account of so many bytes rests on."""
    return (_OVERHEAD + size) * _LAMPORTS_PER_BYTE


def examine(transaction: WireTransaction, terms: Terms) -> Asked:
    """Tells what a transaction asks of the sponsor.

    Raises:
        SponsorRefused: the first thing about it that the sponsor does not sign.
    """
    _check_signers(transaction, terms)
    calls: list[_Call] = []
    units, price = None, None
    for instruction in transaction.instructions:
        if instruction.program_id == COMPUTE_BUDGET_ID:
            tag, value = _budget(instruction)
            if tag == _SET_LIMIT[0] and units is None:
                units = value
            elif tag == _SET_PRICE[0] and price is None:
                price = value
            else:
                raise SponsorRefused("budget", "sets a compute budget twice")
            continue
        if instruction.program_id != terms.program_id:
            raise SponsorRefused(
                "program", f"calls the program {instruction.program_id}"
            )
        calls.append(_call(instruction, terms))
    _check_calls(transaction, calls)
    fee = _LAMPORTS_PER_SIGNATURE * len(transaction.signers)
    # Setting a budget is an instruction, too; some clusters count it as one.
    by_default = _DEFAULT_UNITS * len(transaction.instructions)
    spent_units = min(units or by_default, _MAX_UNITS)
    priority = -(-spent_units * (price or 0) // 1_000_000)
    if priority > terms.max_priority_lamports:
        raise SponsorRefused("budget", f"offers {priority} lamports to be taken early")
    made = [kind for call in calls for kind in _SPONSORED[call.name].made]
    pushes = [call for call in calls if call.name == "update_push"]
    return Asked(
        message=Digest(hashlib.sha256(transaction.message).digest()),
        purpose=_SPONSORED[calls[0].name].purpose,
        repo=calls[0].repo,
        wallet=calls[0].wallet,
        policy=pushes[0].accounts["policy"].address if pushes else None,
        lamports=fee + priority + sum(rent_of(account_size(kind)) for kind in made),
        is_anybodys=all(_SPONSORED[call.name].is_anybodys for call in calls),
    )


def _check_signers(transaction: WireTransaction, terms: Terms) -> None:
    if transaction.signers[0] != terms.sponsor:
        raise SponsorRefused("payer", "is paid by somebody else")
    if transaction.missing != (terms.sponsor,):
        raise SponsorRefused("signers", "another signature than the sponsor's is open")
    if not 2 <= len(transaction.signers) <= _MAX_SIGNERS:
        raise SponsorRefused("signers", f"has {len(transaction.signers)} signers")
    if len(transaction.instructions) > _MAX_INSTRUCTIONS:
        raise SponsorRefused(
            "instruction", f"has {len(transaction.instructions)} instructions"
        )


def _check_calls(transaction: WireTransaction, calls: list[_Call]) -> None:
    if not calls:
        raise SponsorRefused("instruction", "does nothing")
    names = [call.name for call in calls]
    if len(set(names)) != len(names):
        raise SponsorRefused("instruction", "does the same twice")
    if len({call.repo for call in calls}) != 1:
        raise SponsorRefused("repo", "is about two repositories")
    if len({call.wallet for call in calls}) != 1:
        raise SponsorRefused("signers", "is about two wallets")
    if len({_SPONSORED[name].purpose for name in names}) != 1:
        raise SponsorRefused("instruction", "joins and contributes at once")
    needed = {one.address for call in calls for one in call.accounts.values()}
    if not set(transaction.signers) <= needed | {transaction.signers[0]}:
        raise SponsorRefused("signers", "is signed by somebody whom it does not need")


def _budget(instruction: WireInstruction) -> tuple[int, int]:
    data = instruction.data
    if instruction.accounts or (data[:1], len(data)) not in (
        (bytes([_SET_LIMIT[0]]), _SET_LIMIT[1]),
        (bytes([_SET_PRICE[0]]), _SET_PRICE[1]),
    ):
        raise SponsorRefused("budget", "asks for more than a compute budget")
    return data[0], int.from_bytes(data[1:], "little")


def _call(instruction: WireInstruction, terms: Terms) -> _Call:
    name = _NAMES.get(instruction.data[:DISCRIMINATOR_SIZE])
    if name is None:
        raise SponsorRefused("instruction", "calls an instruction that is not paid for")
    try:
        arguments = decode(ARGUMENTS[name], instruction.data[DISCRIMINATOR_SIZE:])
    except LayoutError as exc:
        raise SponsorRefused("instruction", f"{name} is malformed: {exc}") from exc
    accounts = dict(_slots(name, instruction, terms))
    for slot, meta in accounts.items():
        if meta.address == terms.sponsor and slot not in _RENT_SLOTS:
            raise SponsorRefused("self", f"{name} has the sponsor itself as {slot}")
    if name == "delegation_create" and arguments.key == terms.sponsor:
        raise SponsorRefused("self", f"{name} has the sponsor itself as machine key")
    payer = accounts.get("payer")
    if payer is not None and payer.address != terms.sponsor:
        raise SponsorRefused("payer", f"{name} is paid by somebody else")
    repo = accounts["repo"].address
    if repo not in terms.repos:
        raise SponsorRefused("repo", f"is about the repository {repo}")
    asker = accounts.get(_SPONSORED[name].wallet)
    if asker is None or not asker.is_signer:
        raise SponsorRefused("signers", f"{name} is not signed by whoever asks for it")
    return _Call(name, accounts, repo, asker.address)


def _slots(
    name: str, instruction: WireInstruction, terms: Terms
) -> Iterator[tuple[str, AccountMeta]]:
    names = [slot for slot, _ in account_flags(name)]
    fixed = {
        "event_authority": find_event_authority_pda(terms.program_id)[0],
        "program": terms.program_id,
        "system": SYSTEM_PROGRAM_ID,
        "config": find_config_pda(terms.program_id)[0],
    }
    names += ["event_authority", "program"]
    if _SPONSORED[name].wallet == _APPENDED:
        names.append(_APPENDED)
    if len(instruction.accounts) != len(names):
        raise SponsorRefused(
            "instruction", f"{name} has {len(instruction.accounts)} accounts"
        )
    for slot, meta in zip(names, instruction.accounts, strict=True):
        if slot in fixed and meta.address != fixed[slot]:
            raise SponsorRefused("instruction", f"{name} has another {slot}")
        yield slot, meta
