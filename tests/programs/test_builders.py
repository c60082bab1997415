"""The client's builders give the bytes that the document's tables give."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import pytest
from program_harness.acts import config_create
from program_harness.call import Call, wallet
from program_harness.calls import CALLS
from program_harness.protocol import INSTRUCTIONS
from program_harness.values import digest, ordered
from program_harness.world import make_place
from solders.pubkey import Pubkey

from flair_client.chain import instructions
from flair_client.chain.accounts import PolicyParams
from flair_client.ids import Address, CommitId, Digest

MORE: Final[Mapping[str, tuple[str, ...]]] = {
    # Which accounts a builder is told, the others it derives.
    "config_create": ("admin",),
    "config_set": ("admin",),
    "repo_create": ("payer", "creator"),
    "policy_create": ("payer", "actor", "repo", "role"),
    "branch_create": ("payer", "actor", "repo", "role"),
    "branch_set_policy": ("actor", "repo", "branch", "role"),
    "branch_advance": ("actor", "repo", "branch", "role"),
    "branch_merge": ("actor", "repo", "branch", "role"),
    "role_grant": ("payer", "actor", "repo", "branch", "role"),
    "role_revoke": ("actor", "repo", "rent_payer", "role"),
    "invite_create": ("payer", "actor", "repo", "branch", "role"),
    "invite_redeem": ("payer", "grantee", "repo", "invite_key", "invite_payer"),
    "invite_revoke": ("actor", "repo", "rent_payer", "role"),
    "join_request": ("payer", "applicant", "repo", "branch"),
    "join_close": ("actor", "repo", "rent_payer", "role"),
    "delegation_create": ("payer", "wallet", "repo"),
    "delegation_revoke": ("actor", "repo", "rent_payer"),
    "repo_set_sponsor": ("authority", "repo"),
    "authority_offer": ("authority", "repo"),
    "authority_accept": ("new_authority", "repo"),
    "round_open": ("payer", "repo", "branch", "policy"),
    "round_close": ("actor", "repo", "branch", "policy"),
    "round_abort": ("actor", "repo", "branch", "policy", "round_payer"),
    "update_push": (
        *("payer", "signer", "contributor", "repo", "branch", "policy", "role"),
    ),
    "update_withdraw": ("actor", "repo", "branch", "rent_payer"),
    "update_reject": ("authority", "repo", "branch"),
    "update_expire": ("actor", "repo", "branch", "rent_payer", "round_payer"),
    "update_settle": ("actor", "repo", "branch", "rent_payer", "round_payer"),
    "merge_accumulate": ("actor", "repo", "branch"),
    "merge_propose": (
        *("payer", "proposer", "repo", "branch", "policy", "role", "proposer_update"),
    ),
    "merge_finalize": ("actor", "repo", "branch", "policy", "candidate_payer"),
    "merge_approve": ("authority", "repo", "branch"),
    "merge_attest": ("payer", "attester", "repo", "branch", "role"),
    "attestation_expire": ("actor", "repo", "branch", "rent_payer"),
    "merge_expire": ("actor", "repo", "branch", "candidate_payer"),
}


OF_CANDIDATES: Final = (
    *("merge_finalize", "merge_expire", "merge_approve", "merge_attest"),
    "attestation_expire",
)
_KEY: Final = {"invite_create": "invite_key", "delegation_create": "machine_key"}
_OF_CONTRIBUTOR: Final = (
    *("update_withdraw", "update_reject", "update_expire", "update_settle"),
)


def _value(name: str, value: Any) -> Any:
    if isinstance(value, Pubkey):
        return Address(bytes(value))
    if name in ("commit_id", "expected_base", "expected_head", "new_head"):
        return CommitId(value)
    if isinstance(value, bytes) and name == "name":
        return value.decode()
    if name == "protected":
        return bool(value)
    return Digest(value) if isinstance(value, bytes) and len(value) == 32 else value


def _of_members(call: Call, place: Any, given: dict[str, Any]) -> dict[str, Any]:
    """Keys, wallets and applicants, which the document's tables only derive from."""
    contributor = Address(bytes(place.chain.party("a").pubkey()))
    if call.name in _KEY:
        return {_KEY[call.name]: given.pop("key")}
    if call.name in ("invite_revoke", "invite_redeem"):
        return {"invite_key": Address(bytes(wallet("key").pubkey()))}
    if call.name == "delegation_revoke":
        machine_key = Address(bytes(wallet("machine").pubkey()))
        return {"machine_key": machine_key, "wallet": contributor}
    if call.name == "join_close":
        return {"applicant": contributor}
    return {}


def _arguments(call: Call, place: Any) -> dict[str, Any]:
    given = {name: _value(name, value) for name, value in call.arguments.items()}
    chosen = {
        name: _value(name, call.accounts[name])
        for name in MORE[call.name]
        if call.accounts.get(name) is not None
    }
    extra: dict[str, Any] = {}
    if call.name == "policy_create":
        given = {"params": PolicyParams(**dict(call.arguments["params"]))}
        extra["index"] = place.chain.read(place.repo).policy_count
    if call.name == "role_revoke":
        extra["grantee"] = Address(bytes(place.chain.party("a").pubkey()))
    if "round" in call.accounts or call.name in ("merge_expire", "attestation_expire"):
        extra["round_index"] = 1
    given |= _of_members(call, place, given)
    if call.name in _OF_CONTRIBUTOR:
        extra["contributor"] = Address(bytes(place.chain.party("a").pubkey()))
    if call.name in OF_CANDIDATES:
        extra["commit_id"] = CommitId(digest("merge"))
    if call.name == "branch_merge":
        packed = call.arguments["merged"]
        ids = [packed[at : at + 32] for at in range(0, 512, 32)]
        extra["merged"] = [CommitId(each) for each in ids]
    if call.name in ("merge_attest", "attestation_expire"):
        extra["authority_epoch"] = 0
    if call.name == "attestation_expire":
        extra["attester"] = Address(bytes(place.chain.party("attester").pubkey()))
    if call.name == "merge_accumulate":
        extra["contributors"] = [
            Address(bytes(place.chain.party(who).pubkey()))
            for who in ordered(["a", "b"])
        ]
    return given | chosen | extra


@pytest.mark.parametrize("name", INSTRUCTIONS)
def test_a_builder_gives_the_documents_bytes(name: str):
    place = make_place()
    scenes: dict[str, Callable[[Any], Call]] = {
        **CALLS,
        "config_create": lambda place: config_create(place.chain),
    }
    call = scenes[name](place)

    built = getattr(instructions, name)(**_arguments(call, place))

    expected = call.instruction
    assert built.data == bytes(expected.data)
    assert built.program_id == Address(bytes(expected.program_id))
    metas = [
        (Address(bytes(meta.pubkey)), meta.is_signer, meta.is_writable)
        for meta in expected.accounts
    ]
    assert [
        (meta.address, meta.is_signer, meta.is_writable) for meta in built.accounts
    ] == metas


def _same(built: instructions.Instruction, call: Call) -> bool:
    expected = call.instruction
    metas = [
        (Address(bytes(meta.pubkey)), meta.is_signer, meta.is_writable)
        for meta in expected.accounts
    ]
    return built.data == bytes(expected.data) and metas == [
        (meta.address, meta.is_signer, meta.is_writable) for meta in built.accounts
    ]


def test_a_push_by_a_machine_names_its_delegation():
    place = make_place().opened()
    place.chain.send(place.delegation_create("a", "machine"))
    call = place.update_push("a", by="machine")
    built = instructions.update_push(**_arguments(call, place))

    assert _same(built, call)
    assert built.accounts[3].address == Address(
        bytes(place.find_delegation("a", "machine"))
    )


def test_a_wallet_that_signs_for_itself_names_no_delegation():
    place = make_place().opened()
    call = place.update_push("a")
    given = _arguments(call, place)

    del given["signer"]

    assert _same(instructions.update_push(**given), call)


@pytest.mark.parametrize("actor", ["a", "machine"])
def test_a_withdrawal_names_whoever_acts(actor: str):
    place = make_place().opened()
    place.chain.send(place.delegation_create("a", "machine"))
    place.chain.send(place.update_push("a", by="machine"))
    call = place.update_withdraw("a").signed_by(actor=place.chain.party(actor))

    assert _same(instructions.update_withdraw(**_arguments(call, place)), call)


def test_invites_roles_and_requests_are_of_a_branch_where_one_is_named():
    place = make_place().created()
    at = {"branch": place.branch}
    invite = place.invite_create(
        "key", role_expires_at=place.chain.now + 9, uses=7, **at
    )
    place.chain.send(invite)
    redeem = place.invite_redeem("key", "a", **at)
    request = place.join_request("a", 6, note=digest("please"), **at)

    assert _same(instructions.invite_create(**_arguments(invite, place)), invite)
    branch = Address(bytes(place.branch))
    given = _arguments(redeem, place) | {"branch": branch}
    assert _same(instructions.invite_redeem(**given), redeem)
    assert _same(instructions.join_request(**_arguments(request, place)), request)
