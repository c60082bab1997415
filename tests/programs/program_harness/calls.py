"""A call of every instruction but `config_create`, each in a state where it passes."""

from collections.abc import Callable, Mapping
from typing import Final

from program_harness.acts import config_set, repo_create
from program_harness.call import Call
from program_harness.values import MERGE, SNAPSHOT, digest, ordered
from program_harness.world import Place


def _repo(place: Place) -> Call:
    place.created()
    return repo_create(place.chain, b"another")


def _branch(place: Place) -> Call:
    place.created()
    return Place(place.chain, place.name, b"another").branch_create()


def _revocation(place: Place) -> Call:
    place.created()
    place.chain.send(place.role_grant("a", 1))
    return place.role_revoke("a")


def _invited(place: Place) -> Place:
    place.created()
    place.chain.send(place.invite_create("key"))
    return place


def _asked(place: Place) -> Place:
    place.created()
    place.chain.send(place.join_request("a"))
    return place


def _delegated(place: Place) -> Place:
    place.created()
    place.chain.send(place.delegation_create("a", "machine"))
    return place


def _offered(place: Place) -> Place:
    place.created()
    place.chain.send(place.authority_offer("heir"))
    return place


def _close(place: Place) -> Call:
    place.opened(["a", "b"])
    place.chain.wait(3600)
    return place.round_close()


def _abort(place: Place) -> Call:
    place.opened()
    place.chain.wait(3600)
    return place.round_abort()


def _left_behind(place: Place) -> Place:
    place.closed()
    place.chain.send(place.merge_propose())
    place.chain.send(place.branch_advance(SNAPSHOT, digest("next")))
    return place


def _attest(place: Place) -> Call:
    """By the owner, which needs no role, about what somebody else proposed."""
    place.accumulated()
    propose = place.with_role(place.merge_propose(), "bot", MERGE, signer="proposer")
    place.chain.send(propose)
    return place.merge_attest("owner", with_role=False)


def _attested(place: Place) -> Place:
    place.proposed()
    place.chain.send(place.merge_attest("attester"), place.merge_finalize())
    return place


CALLS: Final[Mapping[str, Callable[[Place], Call]]] = {
    "config_set": lambda place: config_set(place.created().chain, pause_bits=0),
    "repo_create": _repo,
    "policy_create": lambda place: place.created().policy_create(),
    "branch_create": _branch,
    "branch_set_policy": lambda place: place.rooted().branch_set_policy(0),
    "branch_advance": lambda place: place.rooted().branch_advance(1, digest("x")),
    "branch_merge": lambda place: place.rooted().branch_merge(
        digest("x"), *sorted(digest(f"model {number}") for number in range(16))
    ),
    "role_grant": lambda place: place.created().role_grant("a", 1),
    "role_revoke": _revocation,
    "invite_create": lambda place: place.created().invite_create("key"),
    "invite_redeem": lambda place: _invited(place).invite_redeem("key", "a"),
    "invite_revoke": lambda place: _invited(place).invite_revoke("key"),
    "join_request": lambda place: place.created().join_request("a"),
    "join_close": lambda place: _asked(place).join_close("a"),
    "delegation_create": lambda place: place.created().delegation_create(
        "a", "machine"
    ),
    "delegation_revoke": lambda place: _delegated(place).delegation_revoke(
        "a", "machine"
    ),
    "repo_set_sponsor": lambda place: place.created().repo_set_sponsor("sponsor"),
    "authority_offer": lambda place: place.created().authority_offer("heir"),
    "authority_accept": lambda place: _offered(place).authority_accept("heir"),
    "round_open": lambda place: place.rooted().round_open(),
    "round_close": _close,
    "round_abort": _abort,
    "update_push": lambda place: place.opened().update_push("a"),
    "update_withdraw": lambda place: place.opened(["a"]).update_withdraw("a"),
    "update_reject": lambda place: place.opened(["a"]).update_reject("a"),
    "update_expire": lambda place: _left_behind(place).update_expire("a", 1),
    "update_settle": lambda place: place.merged().update_settle("a", 1),
    "merge_accumulate": lambda place: place.closed().merge_accumulate(
        ordered(["a", "b"])
    ),
    "merge_propose": lambda place: place.closed().merge_propose(),
    "merge_approve": lambda place: place.proposed().merge_approve(),
    "merge_attest": _attest,
    "attestation_expire": lambda place: _attested(place).attestation_expire("attester"),
    "merge_finalize": lambda place: place.proposed().merge_finalize(),
    "merge_expire": lambda place: _left_behind(place).merge_expire(index=1),
}
