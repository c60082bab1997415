"""Every way to hand an instruction wrong accounts, made from the document's table.

A scene is a function `(place) -> Call`: it brings a place into a state and gives a
call that would pass there. `refusals` lists the cases of one instruction; each runs the
scene on a fresh chain, spoils one thing and expects the refusal that the document
names.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

import pytest
from solders.pubkey import Pubkey

from program_harness.call import NOBODY_ID, Call
from program_harness.protocol import (
    ACCOUNTS,
    INSTRUCTIONS,
    decode_account,
    discriminator,
)
from program_harness.refusal import (
    DATA,
    DISCRIMINATOR,
    DUPLICATE,
    ESCALATION,
    EXECUTABLE,
    IN_USE,
    KEYS,
    MISSING,
    MUT,
    OWNER,
    SEEDS,
    SIGNER,
    TOO_SMALL,
)
from program_harness.values import digest
from program_harness.world import Place

Scene: TypeAlias = Callable[[Place], Call]
Error: TypeAlias = str | int

# Accounts that the instruction itself makes.
CREATED: Final[Mapping[str, str]] = {
    "config_create": "config",
    "repo_create": "repo",
    "policy_create": "policy",
    "branch_create": "branch",
    "role_grant": "new_role",
    "invite_create": "invite",
    "invite_redeem": "new_role",
    "join_request": "request",
    "delegation_create": "delegation",
    "round_open": "round",
    "update_push": "update",
    "merge_propose": "candidate",
    "merge_attest": "attestation",
}
# Made where it does not exist yet.
MADE_IF_NEEDED: Final = frozenset({("update_push", "contribution")})
KINDS: Final[Mapping[str, str]] = {
    "config": "Config",
    "repo": "Repo",
    "policy": "Policy",
    "branch": "Branch",
    "role": "Role",
    "old_role": "Role",
    "new_role": "Role",
    "invite": "Invite",
    "request": "JoinRequest",
    "delegation": "Delegation",
    "round": "Round",
    "update": "Update",
    "proposer_update": "Update",
    "candidate": "MergeCandidate",
    "attestation": "Attestation",
    "contribution": "Contribution",
}
RECEIVERS: Final = ("rent_payer", "round_payer", "candidate_payer", "invite_payer")
# What the document calls an account that belongs to another repository.
FOREIGN: Final[Mapping[str, Error]] = {
    "policy": "PolicyMismatch",
    "update": "UpdateMismatch",
    "proposer_update": "NotProposer",
}
# The same account of another branch of the same repository, under the same policy.
SIBLINGS: Final[Mapping[str, Error]] = {
    "branch": "AccountMismatch",
    "round": "AccountMismatch",
    "update": "UpdateMismatch",
    "proposer_update": "NotProposer",
    "candidate": "AccountMismatch",
    "attestation": "AccountMismatch",
}


@dataclass(frozen=True, slots=True)
class Case:
    """One thing to spoil, and the refusal that names it."""

    what: str
    account: str
    error: Error
    spoil: Callable[["Case", Place, Call, Scene], Call]

    def __str__(self) -> str:
        return f"{self.what}-{self.account}" if self.account else self.what


@dataclass(frozen=True, slots=True)
class Rules:
    """How an instruction differs from the general rules.

    Attributes:
        errors: refusals by case, as `{"foreign-branch": "AccountMismatch"}`.
        skip: cases that do not exist here, each with its reason.
        only: the one account whose cases are wanted; empty: all cases.
        scenes: scenes for accounts that the main scene leaves out, as `role`.
    """

    errors: Mapping[str, Error] = field(default_factory=dict)
    skip: Mapping[str, str] = field(default_factory=dict)
    only: str = ""
    scenes: Mapping[str, Scene] = field(default_factory=dict)


def refusals(
    name: str, scene: Scene, rules: Rules | None = None
) -> pytest.MarkDecorator:
    """Parametrises a test with `case` and `scene` over all cases of an instruction."""
    rules = rules or Rules()
    chosen = []
    for case in _cases(name):
        if str(case) in rules.skip or rules.only not in ("", case.account):
            continue
        error = rules.errors.get(str(case), case.error)
        chosen.append(
            pytest.param(
                replace(case, error=error),
                rules.scenes.get(case.account, scene),
                id=str(case),
            )
        )
    known = {str(case) for case in _cases(name)}
    unknown = (set(rules.errors) | set(rules.skip)) - known
    if unknown:
        raise ValueError(f"{name} has no cases {sorted(unknown)}")
    return pytest.mark.parametrize(("case", "scene"), chosen)


def cases_of(name: str, account: str) -> list[Case]:
    """Gives the cases of one account, which a scene may leave out."""
    return [case for case in _cases(name) if case.account == account]


def check(case: Case, scene: Scene, place: Place) -> None:
    """Runs one case on a fresh chain."""
    call = scene(place)
    place.chain.expect_refusal(case.spoil(case, place, call, scene), case.error)


def _cases(name: str) -> Iterator[Case]:
    row = INSTRUCTIONS[name]
    created = CREATED.get(name)
    for account, flags in row.accounts:
        is_made = account == created or (name, account) in MADE_IF_NEEDED
        yield from _flag_cases(account, flags, is_made=is_made)
        if account == created:
            yield Case("existing", account, IN_USE, _existing)
            yield Case("moved", account, SEEDS, _at_other_address)
        elif account in KINDS and account != "role":  # `roles` has these cases
            yield from _account_cases(account, flags)
    named = {account for account, _ in row.accounts if account != created}
    for account, error in SIBLINGS.items():
        # A branch alone may be any; beside its round it may not.
        if account in named and (
            account != "branch" or named & {"round", "candidate", "attestation"}
        ):
            yield Case("sibling", account, error, _sibling)
    yield Case("other", "event_authority", SEEDS, _other)
    # What stands in the slot of the program is not read: test_entrypoint.py.
    yield Case("missing-last-account", "", KEYS, _without_last)
    if row.arguments.fields:
        yield Case("short-data", "", DATA, _short_data)


def _flag_cases(account: str, flags: str, *, is_made: bool) -> Iterator[Case]:
    if "s" in flags:
        yield Case("unsigned", account, SIGNER, _unsigned)
    if "w" in flags:
        # What is to be made fails in the call that makes it.
        error = SIGNER if "s" in flags else ESCALATION if is_made else MUT
        yield Case("read-only", account, error, _read_only)
    if "w" in flags and account in KINDS:
        yield Case("alias", account, DUPLICATE, _alias)
    if account == "system":
        yield Case("other", account, EXECUTABLE, _other)
    if account in RECEIVERS:
        yield Case("other", account, "RentPayerMismatch", _other)
        # It stands for an account that the call writes, which may come only once.
        yield Case("alias", account, DUPLICATE, _alias)


def _account_cases(account: str, flags: str) -> Iterator[Case]:
    yield Case("owner", account, OWNER, _other_owner)
    yield Case("discriminator", account, DISCRIMINATOR, _other_discriminator)
    yield Case("truncated", account, TOO_SMALL, _truncated)
    yield Case("absent", account, TOO_SMALL if "w" in flags else MISSING, _absent)
    if account != "config":
        # The Config's address is a constant: test_config_set.py.
        yield Case("bump", account, SEEDS, _other_bump)
    yield Case("copied", account, SEEDS, _copied)
    yield Case("kind", account, DISCRIMINATOR, _other_kind)
    if account != "config":
        yield Case(
            "foreign", account, FOREIGN.get(account, "AccountMismatch"), _foreign
        )


def _address(call: Call, account: str) -> Pubkey:
    address = call.accounts[account]
    assert address is not None, f"the scene leaves {account} out"
    return address


def _unsigned(case: Case, place: Place, call: Call, scene: Scene) -> Call:
    return replace(call, unsigned=frozenset({case.account}))


def _read_only(case: Case, place: Place, call: Call, scene: Scene) -> Call:
    return replace(call, read_only=frozenset({case.account}))


def _existing(case: Case, place: Place, call: Call, scene: Scene) -> Call:
    """What is to be made exists: made by the same call, then once more."""
    place.chain.send(call)
    return call


def _at_other_address(case: Case, place: Place, call: Call, scene: Scene) -> Call:
    return call.with_accounts(**{case.account: spare_address(case.account)})


def _other(case: Case, place: Place, call: Call, scene: Scene) -> Call:
    other = spare_address(case.account)
    place.chain.put(other, data=b"", owner=NOBODY_ID)
    return call.with_accounts(**{case.account: other})


def _other_owner(case: Case, place: Place, call: Call, scene: Scene) -> Call:
    place.chain.put(_address(call, case.account), owner=NOBODY_ID)
    return call


def _other_discriminator(case: Case, place: Place, call: Call, scene: Scene) -> Call:
    address = _address(call, case.account)
    data = place.chain.data(address)
    name = "Round" if decode_account(data)[0] != "Round" else "Update"
    place.chain.put(address, data=discriminator("account", name) + data[8:])
    return call


def _truncated(case: Case, place: Place, call: Call, scene: Scene) -> Call:
    address = _address(call, case.account)
    place.chain.put(address, data=place.chain.data(address)[:-1])
    return call


def _absent(case: Case, place: Place, call: Call, scene: Scene) -> Call:
    place.chain.remove(_address(call, case.account))
    return call


def _other_bump(case: Case, place: Place, call: Call, scene: Scene) -> Call:
    address = _address(call, case.account)
    place.chain.edit(address, bump=place.chain.read(address).bump ^ 1)
    return call


def _copied(case: Case, place: Place, call: Call, scene: Scene) -> Call:
    """The right contents and owner at an address that is not the PDA."""
    other = spare_address(case.account)
    place.chain.put(other, data=place.chain.data(_address(call, case.account)))
    return call.with_accounts(**{case.account: other})


def _other_kind(case: Case, place: Place, call: Call, scene: Scene) -> Call:
    """Another sound account of the call, where there is one, in the size of this."""
    chain = place.chain
    own = _address(call, case.account)
    kind = KINDS[case.account]
    others = [
        chain.data(address)
        for name, address in call.accounts.items()
        if name in KINDS and address not in (None, own) and chain.exists(address)
    ]
    other_kinds = [data for data in others if decode_account(data)[0] != kind]
    data = next(iter(other_kinds), discriminator("account", "Role"))
    size = len(discriminator("account", kind)) + ACCOUNTS[kind].size
    other = spare_address("kind")
    chain.put(other, data=data[:size].ljust(size, b"\0"))
    return call.with_accounts(**{case.account: other})


def twin_call(place: Place, scene: Scene) -> Call:
    """The call of a sister repository of the same owner, in the same state."""
    return _elsewhere(place, scene, b"lung", place.branch_name)


def sibling_call(place: Place, scene: Scene) -> Call:
    """The call of another branch of the same repository, in the same state."""
    return _elsewhere(place, scene, place.name, b"side")


def _elsewhere(place: Place, scene: Scene, name: bytes, branch_name: bytes) -> Call:
    now = place.chain.now
    call = scene(Place(place.chain, name, branch_name, dict(place.params)))
    place.chain.set_now(now)
    return call


def _foreign(case: Case, place: Place, call: Call, scene: Scene) -> Call:
    other = twin_call(place, scene)
    return call.with_accounts(**{case.account: _address(other, case.account)})


def _sibling(case: Case, place: Place, call: Call, scene: Scene) -> Call:
    other = sibling_call(place, scene)
    return call.with_accounts(**{case.account: _address(other, case.account)})


def _without_last(case: Case, place: Place, call: Call, scene: Scene) -> Call:
    count = len(INSTRUCTIONS[call.name].accounts) + 2
    return replace(call, truncate=count - 1)


def _short_data(case: Case, place: Place, call: Call, scene: Scene) -> Call:
    encoded = bytes(call.instruction.data)
    return replace(call, data=encoded[8:-1])


def _alias(case: Case, place: Place, call: Call, scene: Scene) -> Call:
    """Another writable account stands where this one should."""
    names = [
        name
        for name, flags in INSTRUCTIONS[call.name].accounts
        if "w" in flags and name != case.account
    ]
    assert names, "nothing to stand for it"
    return call.with_accounts(**{case.account: _address(call, names[0])})


def spare_address(name: str) -> Pubkey:
    """Gives an address that nobody uses."""
    return Pubkey.from_bytes(digest(f"spare {name}"))
