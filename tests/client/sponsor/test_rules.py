"""A sponsor signs joining and contributing, and nothing else."""

import struct
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.system_program import TransferParams, transfer
from sponsor_world import SPONSOR, wire_of

from flair_client.chain import instructions
from flair_client.chain.accounts import Scope
from flair_client.chain.instructions import AccountMeta, Instruction
from flair_client.chain.pdas import SYSTEM_PROGRAM_ID, find_policy_pda, find_repo_pda
from flair_client.chain.signer import KeypairSigner
from flair_client.chain.wire import read_transaction
from flair_client.errors import (
    FlairError,
    ObjectInvalid,
    ObjectTooLarge,
    SignatureInvalid,
    SponsorRefused,
)
from flair_client.ids import Address, CommitId, Digest
from flair_client.sponsor.rules import COMPUTE_BUDGET_ID, SPONSORED, Purpose, examine
from flair_client.testing import ALICE, BOB, MAIN, NOW, OWNER, REPO

INVITE = KeypairSigner(bytes([41]) * 32)
ELSEWHERE = find_repo_pda(OWNER.address, "lungs")[0]
POLICY = find_policy_pda(REPO, 0)[0]
ME = SPONSOR.address


def redeem(**changes):
    values = {
        "payer": ME,
        "grantee": ALICE.address,
        "repo": REPO,
        "invite_key": INVITE.address,
        "invite_payer": OWNER.address,
    }
    return instructions.invite_redeem(**(values | changes))


def request(**changes):
    values = {
        "payer": ME,
        "applicant": ALICE.address,
        "repo": REPO,
        "scope": Scope.CONTRIBUTE,
    }
    return instructions.join_request(**(values | changes))


def delegate(**changes):
    values = {
        "payer": ME,
        "wallet": ALICE.address,
        "repo": REPO,
        "machine_key": BOB.address,
        "expires_at": NOW,
    }
    return instructions.delegation_create(**(values | changes))


def undelegate(**changes):
    values = {
        "actor": ALICE.address,
        "wallet": ALICE.address,
        "repo": REPO,
        "machine_key": BOB.address,
        "rent_payer": ME,
    }
    return instructions.delegation_revoke(**(values | changes))


def opening(**changes):
    values = {
        "payer": ME,
        "repo": REPO,
        "branch": MAIN,
        "policy": POLICY,
        "round_index": 1,
    }
    made = instructions.round_open(**(values | changes))
    asker = AccountMeta(ALICE.address, is_signer=True, is_writable=False)
    return replace(made, accounts=(*made.accounts, asker))


def pushing(**changes):
    values = {
        "payer": ME,
        "contributor": ALICE.address,
        "repo": REPO,
        "branch": MAIN,
        "policy": POLICY,
        "round_index": 1,
        "commit_id": CommitId(bytes([5]) * 32),
        "expected_base": CommitId(bytes([6]) * 32),
        "weight": 1,
        "payload_digest": Digest(bytes([7]) * 32),
        "nonce": bytes(16),
    }
    return instructions.update_push(**(values | changes))


def withdrawing(**changes):
    values = {
        "contributor": ALICE.address,
        "repo": REPO,
        "branch": MAIN,
        "round_index": 1,
        "rent_payer": ME,
    }
    return instructions.update_withdraw(**(values | changes))


def closing(**changes):
    values = {
        "actor": ALICE.address,
        "repo": REPO,
        "applicant": ALICE.address,
        "rent_payer": ME,
    }
    return instructions.join_close(**(values | changes))


def price(micro_lamports):
    data = struct.pack("<BQ", 3, micro_lamports)
    return Instruction(COMPUTE_BUDGET_ID, (), data, "price")


def rent(size):
    """An account's rent by hand: two years at 3,480 lamports a byte and year."""
    return (128 + size) * 3480 * 2


@pytest.mark.parametrize(
    ("steps", "signers", "costs"),
    [
        ([redeem()], [ALICE, INVITE], (Purpose.JOIN, 15_000 + rent(224))),
        ([request()], [ALICE], (Purpose.REQUEST, 10_000 + rent(220))),
        ([closing()], [ALICE], (Purpose.REQUEST, 10_000)),
        ([delegate()], [ALICE], (Purpose.CONTRIBUTE, 10_000 + rent(194))),
        ([undelegate()], [ALICE], (Purpose.CONTRIBUTE, 10_000)),
        ([withdrawing()], [ALICE], (Purpose.CONTRIBUTE, 10_000)),
        ([opening()], [ALICE], (Purpose.CONTRIBUTE, 10_000 + rent(393))),
        ([pushing()], [ALICE], (Purpose.CONTRIBUTE, 10_000 + rent(352) + rent(178))),
        (
            [delegate(), undelegate(machine_key=INVITE.address)],
            [ALICE],
            (Purpose.CONTRIBUTE, 10_000 + rent(194)),
        ),
        (
            [opening(), pushing()],
            [ALICE],
            (Purpose.CONTRIBUTE, 10_000 + rent(393) + rent(352) + rent(178)),
        ),
    ],
    ids=lambda value: (
        "-".join(one.name for one in value)
        if isinstance(value, list) and isinstance(value[0], Instruction)
        else None
    ),
)
def test_joining_and_contributing_are_paid_for(asked, terms, steps, signers, costs):
    found = examine(asked(*steps, signers=signers), terms)

    assert (found.purpose, found.lamports) == costs
    assert (found.repo, found.wallet) == (REPO, ALICE.address)
    has_deposit = any(step.name == "update_push" for step in steps)
    assert found.policy == (POLICY if has_deposit else None)


def test_each_instruction_that_is_paid_for_is_tried_above():
    made = [redeem, request, closing, delegate, undelegate, opening, pushing]

    assert {one().name for one in (*made, withdrawing)} == SPONSORED


def test_a_machine_key_is_counted_by_its_own_signature(asked, terms):
    found = examine(asked(pushing(signer=BOB.address), signers=[BOB]), terms)

    assert found.wallet == BOB.address


def refused(asked, terms, *steps, signers=(ALICE,), **more):
    with pytest.raises(SponsorRefused) as caught:
        examine(asked(*steps, signers=list(signers), **more), terms)
    return caught.value.code


def test_a_transfer_is_refused(asked, terms):
    made = transfer(
        TransferParams(
            from_pubkey=_pubkey(ME), to_pubkey=_pubkey(BOB.address), lamports=1
        )
    )
    metas = tuple(
        AccountMeta(Address(bytes(one.pubkey)), one.is_signer, one.is_writable)
        for one in made.accounts
    )
    away = Instruction(SYSTEM_PROGRAM_ID, metas, bytes(made.data), "transfer")

    assert refused(asked, terms, away, pushing()) == "program"


def _pubkey(address):
    from solders.pubkey import Pubkey

    return Pubkey.from_bytes(address.raw)


def test_another_program_is_refused(asked, terms):
    foreign = replace(pushing(), program_id=Address(bytes([9]) * 32))

    assert refused(asked, terms, foreign) == "program"


@pytest.mark.parametrize(
    "step",
    [
        instructions.role_grant(
            payer=ME,
            actor=ALICE.address,
            repo=REPO,
            grantee=BOB.address,
            scope=Scope.MERGE,
        ),
        instructions.invite_create(
            payer=ME,
            actor=ALICE.address,
            repo=REPO,
            invite_key=INVITE.address,
            scope=Scope.CONTRIBUTE,
            expires_at=NOW,
        ),
        instructions.repo_create(
            payer=ME, creator=ALICE.address, name="mine", points_per_merge=1
        ),
    ],
    ids=lambda step: step.name,
)
def test_our_other_instructions_are_refused(asked, terms, step):
    assert refused(asked, terms, step) == "instruction"


@pytest.mark.parametrize(
    "step",
    [
        redeem(repo=ELSEWHERE),
        request(repo=ELSEWHERE),
        delegate(repo=ELSEWHERE),
        pushing(repo=ELSEWHERE),
        opening(repo=ELSEWHERE),
    ],
    ids=lambda step: step.name,
)
def test_another_repository_is_refused(asked, terms, step):
    signers = [ALICE, INVITE] if step.name == "invite_redeem" else [ALICE]

    assert refused(asked, terms, step, signers=signers) == "repo"


def test_two_repositories_at_once_are_refused(asked, terms):
    both = replace(terms, repos=frozenset({REPO, ELSEWHERE}))

    assert refused(asked, both, delegate(), pushing(repo=ELSEWHERE)) == "repo"


@pytest.mark.parametrize(
    ("step", "signers"),
    [
        (redeem(grantee=ME), [INVITE]),
        (redeem(invite_key=ME), [ALICE]),
        (delegate(wallet=ME), []),
        (delegate(machine_key=ME), [ALICE]),
        (undelegate(actor=ME, wallet=ME), []),
        (pushing(contributor=ME), []),
        (pushing(contributor=ME, signer=ALICE.address), [ALICE]),
        (withdrawing(contributor=ME), []),
    ],
    ids=[
        "as grantee",
        "as invite",
        "as delegating wallet",
        "as machine key",
        "as revoking wallet",
        "as contributor",
        "as contributor of a machine",
        "as contributor who withdraws",
    ],
)
def test_the_sponsor_itself_joins_and_contributes_nowhere(asked, terms, step, signers):
    # One more signer, so that not the number of signers is what is refused.
    if not signers:
        asker = AccountMeta(ALICE.address, is_signer=True, is_writable=False)
        step = replace(step, accounts=(*step.accounts, asker))
        signers = [ALICE]

    assert refused(asked, terms, step, signers=signers) in ("self", "instruction")


@pytest.mark.parametrize("name", ["payer", "slot"])
def test_somebody_else_who_pays_the_rent_is_refused(asked, terms, name):
    payer = ALICE.address if name == "payer" else ME
    step = pushing(payer=payer)
    if name == "slot":
        first, *others = step.accounts
        step = replace(step, accounts=(replace(first, address=BOB.address), *others))
    signers = [ALICE] if name == "payer" else [ALICE, BOB]

    assert refused(asked, terms, step, signers=signers) == "payer"


def test_a_signature_that_is_not_needed_is_refused(asked, terms):
    extra = AccountMeta(BOB.address, is_signer=True, is_writable=False)
    made = opening()
    step = replace(made, accounts=(*made.accounts, extra))

    assert refused(asked, terms, step, signers=[ALICE, BOB]) == "instruction"


def test_opening_a_round_needs_a_signer_who_asks(asked, terms):
    made = opening()
    alone = replace(made, accounts=made.accounts[:-1])

    assert refused(asked, terms, alone, signers=[]) == "signers"
    assert refused(asked, terms, alone, delegate()) == "instruction"


def test_the_same_twice_is_refused(asked, terms):
    assert (
        refused(asked, terms, delegate(), delegate(machine_key=INVITE.address))
        == "instruction"
    )


def test_two_wallets_in_one_are_refused(asked, terms):
    steps = [delegate(), pushing(contributor=BOB.address)]

    assert refused(asked, terms, *steps, signers=[ALICE, BOB]) == "signers"


def test_joining_and_contributing_at_once_are_refused(asked, terms):
    assert refused(asked, terms, request(), delegate()) == "instruction"


def test_many_instructions_are_refused(asked, terms):
    steps = [opening(), pushing(), delegate(), undelegate(), withdrawing()]

    assert refused(asked, terms, *steps) == "instruction"


def test_a_compute_budget_is_counted_and_limited(asked, terms):
    steps = [price(2_000), pushing()]
    plain = examine(asked(pushing(), signers=[ALICE]), terms).lamports

    found = examine(asked(*steps, signers=[ALICE], compute_units=300_000), terms)

    assert found.lamports == plain + 300_000 * 2_000 // 1_000_000
    dear = [price(2_000_000), pushing()]
    assert refused(asked, terms, *dear, compute_units=300_000) == "budget"
    twice = [price(1), price(1), pushing()]
    assert refused(asked, terms, *twice) == "budget"
    for data in (b"\x01\x00\x00\x00\x00", b"\x02\x00", b"\x03" + bytes(9), b""):
        other = Instruction(COMPUTE_BUDGET_ID, (), data, "budget")
        assert refused(asked, terms, other, pushing()) == "budget"


def test_a_budget_alone_is_refused(asked, terms):
    step = replace(price(1), accounts=())
    extra = [request()]
    made = asked(step, *extra, signers=[ALICE])
    alone = replace(made, instructions=made.instructions[:1])

    with pytest.raises(SponsorRefused, match="does nothing"):
        examine(alone, terms)


def test_malformed_arguments_are_refused(asked, terms):
    for data in (pushing().data + b"\0", pushing().data[:-1], b"", b"\xff" * 8):
        step = replace(pushing(), data=data)
        assert refused(asked, terms, step) == "instruction"


@pytest.mark.parametrize("place", range(-5, 0))
def test_other_accounts_in_fixed_places_are_refused(asked, terms, place):
    made = pushing()
    # policy, update and the like are the program's business; these are not.
    metas = list(made.accounts)
    is_fixed = place in (-1, -2, -3)
    metas[place] = replace(metas[place], address=Address(bytes([77]) * 32))
    step = replace(made, accounts=tuple(metas))

    if is_fixed:
        assert refused(asked, terms, step) == "instruction"
    else:
        examine(asked(step, signers=[ALICE]), terms)


def test_a_transaction_that_another_one_pays_is_refused(terms):
    from flair_client.chain.transactions import sign_transaction

    signed = sign_transaction(
        [pushing(payer=ALICE.address)],
        [ALICE],
        "4vJ9JU1bJJE96FWSJKvHsmmFADCg4gpZQff4P3bkLKi",
    )

    with pytest.raises(SponsorRefused) as caught:
        examine(read_transaction(signed.wire), terms)
    assert caught.value.code == "payer"


def test_signatures_of_others_must_be_there_and_true():
    wire = wire_of(pushing(), signers=[ALICE])
    found = read_transaction(wire)
    assert found.missing == (ME,)

    without = wire[:65] + bytes(64) + wire[129:]
    assert read_transaction(without).missing == (ME, ALICE.address)
    forged = wire[:65] + bytes([wire[65] ^ 1]) + wire[66:]
    with pytest.raises(SignatureInvalid):
        read_transaction(forged)


def test_an_unsigned_transaction_is_refused(terms):
    wire = wire_of(pushing(), signers=[ALICE])
    without = read_transaction(wire[:65] + bytes(64) + wire[129:])

    with pytest.raises(SponsorRefused) as caught:
        examine(without, terms)
    assert caught.value.code == "signers"


def test_a_transaction_of_a_newer_version_is_refused():
    wire = wire_of(pushing(), signers=[ALICE])
    start = 1 + 2 * 64
    versioned = wire[:start] + b"\x80" + wire[start:]

    with pytest.raises((ObjectInvalid, SignatureInvalid)):
        read_transaction(versioned)


def test_what_is_too_large_is_refused():
    with pytest.raises(ObjectTooLarge):
        read_transaction(bytes(1233))


@given(st.binary(max_size=400))
def test_any_bytes_are_refused_in_words(noise):
    with pytest.raises(FlairError):
        read_transaction(noise)


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_no_changed_byte_passes_unseen(place, change):
    wire = wire_of(pushing(), signers=[ALICE])
    place %= len(wire)
    changed = bytearray(wire)
    changed[place] ^= change
    # Every byte but the sponsor's empty signature is bound by ALICE's.
    with pytest.raises(FlairError):
        read_transaction(bytes(changed))
