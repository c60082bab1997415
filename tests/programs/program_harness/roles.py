"""Every way in which a role does not hold, for instructions that accept one."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import pytest
from solders.pubkey import Pubkey

from program_harness.call import Call
from program_harness.protocol import discriminator
from program_harness.refusal import (
    DISCRIMINATOR,
    OWNER,
    SEEDS,
    TOO_SMALL,
)
from program_harness.tampering import spare_address
from program_harness.values import ADMINISTER, ATTEST, CONTRIBUTE, MERGE
from program_harness.world import Place

Error: TypeAlias = str | int
ALL_SCOPES: Final = CONTRIBUTE | MERGE | ATTEST | ADMINISTER


@dataclass(frozen=True, slots=True)
class RoleUse:
    """How an instruction uses a role.

    Attributes:
        scene: brings a place into a state and gives the authority's call.
        scope: the bit it asks for.
        signer: the account that needs the role.
        for_branch: whether a role for the branch suffices.
        errors: refusals by case where they differ.
        skip: cases that another rule refuses before.
    """

    scene: Callable[[Place], Call]
    scope: int
    signer: str = "actor"
    for_branch: bool = True
    errors: Mapping[str, Error] = field(default_factory=dict)
    skip: Sequence[str] = ()


def _helped(
    use: RoleUse, place: Place, call: Call, *, branch: Pubkey | None = None
) -> Call:
    return place.with_role(call, "helper", use.scope, signer=use.signer, branch=branch)


def _role_of(call: Call) -> Pubkey:
    role = call.accounts["role"]
    assert role is not None
    return role


def _without(use: RoleUse, place: Place, call: Call) -> Call:
    return call.signed_by(**{use.signer: place.chain.party("helper")})


def _expired(use: RoleUse, place: Place, call: Call) -> Call:
    call = _helped(use, place, call)
    place.chain.edit(_role_of(call), expires_at=place.chain.now)
    return call


def _void(use: RoleUse, place: Place, call: Call) -> Call:
    call = _helped(use, place, call)
    place.chain.edit(place.repo, authority_epoch=1)
    return call


def _of_a_later_epoch(use: RoleUse, place: Place, call: Call) -> Call:
    call = _helped(use, place, call)
    place.chain.edit(_role_of(call), authority_epoch=1)
    return call


def _other_scope(use: RoleUse, place: Place, call: Call) -> Call:
    call = _helped(use, place, call)
    place.chain.edit(_role_of(call), scope=ALL_SCOPES & ~use.scope)
    return call


def _of_somebody_else(use: RoleUse, place: Place, call: Call) -> Call:
    call = _helped(use, place, call)
    return call.signed_by(**{use.signer: place.chain.party("thief")})


def _of_another_branch(use: RoleUse, place: Place, call: Call) -> Call:
    other = Place(place.chain, place.name, b"other", dict(place.params))
    other.created()
    return _helped(use, place, call, branch=other.branch)


def _of_this_branch_only(use: RoleUse, place: Place, call: Call) -> Call:
    if not place.chain.exists(place.branch):
        place.created()
    return _helped(use, place, call, branch=place.branch)


def _of_another_repo(use: RoleUse, place: Place, call: Call) -> Call:
    twin = Place(place.chain, b"lung", place.branch_name, dict(place.params))
    twin.created()
    return twin.with_role(call, "helper", use.scope, signer=use.signer)


def _at_another_address(use: RoleUse, place: Place, call: Call) -> Call:
    call = _helped(use, place, call)
    copy = spare_address("role")
    place.chain.put(copy, data=place.chain.data(_role_of(call)))
    return call.with_accounts(role=copy)


def _with_another_bump(use: RoleUse, place: Place, call: Call) -> Call:
    call = _helped(use, place, call)
    role = _role_of(call)
    place.chain.edit(role, bump=place.chain.read(role).bump ^ 1)
    return call


def _with_another_owner(use: RoleUse, place: Place, call: Call) -> Call:
    call = _helped(use, place, call)
    place.chain.put(_role_of(call), owner=spare_address("program"))
    return call


def _of_another_kind(use: RoleUse, place: Place, call: Call) -> Call:
    call = _helped(use, place, call)
    role = _role_of(call)
    data = place.chain.data(role)
    place.chain.put(role, data=discriminator("account", "Update") + data[8:])
    return call


def _truncated(use: RoleUse, place: Place, call: Call) -> Call:
    call = _helped(use, place, call)
    role = _role_of(call)
    place.chain.put(role, data=place.chain.data(role)[:-1])
    return call


CASES: Final = {
    "none": (_without, "RoleMissing"),
    "expired": (_expired, "RoleExpired"),
    "void": (_void, "RoleVoid"),
    "later-epoch": (_of_a_later_epoch, "RoleVoid"),
    "other-scope": (_other_scope, "RoleScope"),
    "somebody-else": (_of_somebody_else, "RoleMissing"),
    "another-branch": (_of_another_branch, "RoleMissing"),
    "this-branch-only": (_of_this_branch_only, "RoleMissing"),
    "another-repo": (_of_another_repo, "RoleMissing"),
    "another-address": (_at_another_address, SEEDS),
    "another-bump": (_with_another_bump, SEEDS),
    "another-owner": (_with_another_owner, OWNER),
    "another-kind": (_of_another_kind, DISCRIMINATOR),
    "truncated": (_truncated, TOO_SMALL),
}


def role_refusals(use: RoleUse) -> pytest.MarkDecorator:
    """Parametrises a test with `spoil`, `error` over the ways a role fails."""
    return pytest.mark.parametrize(
        ("spoil", "error"),
        [
            pytest.param(spoil, use.errors.get(name, error), id=name)
            for name, (spoil, error) in CASES.items()
            if name not in use.skip
            and not (use.for_branch and name == "this-branch-only")
        ],
    )


def check_role_refusal(
    use: RoleUse, spoil: Callable[..., Call], error: Error, place: Place
) -> None:
    """Runs one case: the authority's call is refused with a role that fails."""
    call = use.scene(place)
    place.chain.expect_refusal(spoil(use, place, call), error)


def check_role_holds(use: RoleUse, place: Place, *, of_branch: bool) -> None:
    """Runs the call by a helper with just the bit that is needed, until it expires."""
    call = use.scene(place)
    branch = place.branch if of_branch else None
    call = _helped(use, place, call, branch=branch)
    place.chain.edit(_role_of(call), expires_at=place.chain.now + 1)
    place.chain.send(call)
