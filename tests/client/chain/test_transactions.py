"""Which inner instructions count as events: each rule is broken once."""

import copy

import base58
import pytest

from flair_client.chain.event_frames import read_transaction
from flair_client.chain.events import (
    EVENT_KINDS,
    EVENT_TAG,
    RoundClosed,
    encode_event,
    event_size,
)
from flair_client.chain.instructions import repo_create, round_close
from flair_client.chain.layout import discriminator
from flair_client.chain.pdas import PROGRAM_ID, find_event_authority_pda
from flair_client.chain.signer import KeypairSigner, verify_signature
from flair_client.chain.transactions import events_from_transaction, sign_transaction
from flair_client.errors import ObjectInvalid, SignatureInvalid, UsageError
from flair_client.ids import Address, Digest

EVENT = encode_event(
    RoundClosed(
        repo=Address(b"\1" * 32),
        repo_seq=1,
        prev_root=Digest(bytes(32)),
        unix_timestamp=1,
        actor=Address(b"\3" * 32),
        branch=Address(b"\4" * 32),
        round_index=1,
        n_accepted=2,
        weight_sum=3,
    )
)
AUTHORITY = str(find_event_authority_pda()[0])
OTHER = str(Address(b"\x11" * 32))
WALLET = str(Address(b"\x12" * 32))
# Indexes into the accounts below.
_WALLET, _OURS, _AUTHORITY, _OTHER = range(4)
BLOCKHASH = str(Address(b"\x21" * 32))


def call(data: bytes, *, program=_OURS, accounts=(_AUTHORITY,), height=2):
    return {
        "programIdIndex": program,
        "accounts": list(accounts),
        "data": base58.b58encode(data).decode(),
        "stackHeight": height,
    }


def make_tx(*inner, outer=_OURS):
    return {
        "slot": 5,
        "transaction": {
            "signatures": ["x"],
            "message": {
                "accountKeys": [WALLET, str(PROGRAM_ID), AUTHORITY, OTHER],
                "instructions": [{"programIdIndex": outer, "accounts": [], "data": ""}],
            },
        },
        "meta": {
            "err": None,
            "innerInstructions": [{"index": 0, "instructions": list(inner)}],
            "loadedAddresses": {"writable": [], "readonly": []},
            "logMessages": [],
        },
    }


def test_an_event_counts():
    assert events_from_transaction(make_tx(call(EVENT_TAG + EVENT))) == [EVENT]


def test_events_come_in_the_order_of_the_calls():
    second = EVENT[:-1] + b"\x09"
    tx = make_tx(call(EVENT_TAG + EVENT), call(EVENT_TAG + second))
    tx["transaction"]["message"]["instructions"] *= 2
    tx["meta"]["innerInstructions"].insert(
        0, {"index": 1, "instructions": [call(EVENT_TAG + second)]}
    )

    assert events_from_transaction(tx) == [EVENT, second, second]


def test_an_event_counts_when_another_program_called_ours():
    tx = make_tx(
        call(b"call", accounts=()),
        call(EVENT_TAG + EVENT, height=3),
        outer=_OTHER,
    )

    assert events_from_transaction(tx) == [EVENT]


def test_nothing_counts_in_a_failed_transaction():
    tx = make_tx(call(EVENT_TAG + EVENT))
    tx["meta"]["err"] = {"InstructionError": [0, {"Custom": 6000}]}

    assert events_from_transaction(tx) == []


def test_a_call_of_another_program_does_not_count():
    tx = make_tx(call(EVENT_TAG + EVENT, program=_OTHER))

    assert events_from_transaction(tx) == []


def test_a_call_by_another_program_does_not_count():
    tx = make_tx(call(EVENT_TAG + EVENT), outer=_OTHER)

    assert events_from_transaction(tx) == []


def test_a_call_by_another_program_below_ours_does_not_count():
    tx = make_tx(
        call(b"call", program=_OTHER, accounts=()),
        call(EVENT_TAG + EVENT, height=3),
    )

    assert events_from_transaction(tx) == []


def test_a_call_whose_caller_is_unknown_does_not_count():
    assert events_from_transaction(make_tx(call(EVENT_TAG + EVENT, height=4))) == []


@pytest.mark.parametrize("height", [None, 1, 0, True, "2"])
def test_nothing_counts_without_heights(height):
    tx = make_tx(call(EVENT_TAG + EVENT, height=height))

    assert events_from_transaction(tx) == []


def test_an_outer_instruction_does_not_count():
    tx = make_tx()
    tx["transaction"]["message"]["instructions"] = [call(EVENT_TAG + EVENT, height=1)]

    assert events_from_transaction(tx) == []


def test_a_call_without_the_tag_does_not_count():
    # The forgery that was paid out elsewhere: right program, right account, no tag.
    assert events_from_transaction(make_tx(call(EVENT))) == []
    assert events_from_transaction(make_tx(call(b"\0" * 8 + EVENT))) == []


@pytest.mark.parametrize(
    "accounts", [(), (_OTHER,), (_AUTHORITY, _AUTHORITY), (_AUTHORITY, _WALLET)]
)
def test_a_call_with_other_accounts_does_not_count(accounts):
    tx = make_tx(call(EVENT_TAG + EVENT, accounts=accounts))

    assert events_from_transaction(tx) == []


def test_the_authority_from_a_lookup_table_is_found():
    tx = make_tx(call(EVENT_TAG + EVENT))
    tx["transaction"]["message"]["accountKeys"][_AUTHORITY] = OTHER
    tx["meta"]["loadedAddresses"]["readonly"] = [AUTHORITY]

    assert events_from_transaction(tx) == []
    tx["meta"]["innerInstructions"][0]["instructions"][0]["accounts"] = [4]
    assert events_from_transaction(tx) == [EVENT]


@pytest.mark.parametrize(
    "event", [b"\xff" * 8 + EVENT[8:], EVENT + b"\0", EVENT[:-1], b""]
)
def test_an_unknown_or_inexact_event_does_not_count(event):
    assert events_from_transaction(make_tx(call(EVENT_TAG + event))) == []


def test_a_log_line_does_not_count():
    tx = make_tx()
    tx["meta"]["logMessages"] = [f"Program data: {EVENT.hex()}"]

    assert events_from_transaction(tx) == []


@pytest.mark.parametrize("kind", EVENT_KINDS.values())
def test_no_kind_of_event_is_too_long(kind):
    # Bytes of 0xff take the most digits; what they say is refused, and told.
    longest = EVENT_TAG + discriminator("event", kind.__name__)
    longest += b"\xff" * (event_size(kind) - 8)

    found = read_transaction(make_tx(call(longest)))

    assert len(found.events) + len(found.refused) == 1


def test_what_pretends_to_be_an_event_is_told():
    tagged = EVENT_TAG + EVENT
    tx = make_tx(
        call(EVENT),
        call(tagged, accounts=(_OTHER,)),
        call(tagged + b"\0"),
        call(b"call", program=_OTHER, accounts=()),
        call(tagged, height=3),
        call(b"an ordinary call", accounts=(_WALLET, _AUTHORITY)),
    )

    found = read_transaction(tx)

    assert found.events == ()
    assert [(one.outer, one.inner) for one in found.refused] == [
        (0, 0),
        (0, 1),
        (0, 2),
        (0, 4),
    ]
    assert found.refused[0].reason == "no event tag"
    assert found.refused[1].reason == "not signed by the event authority alone"
    assert "1 bytes are left over" in found.refused[2].reason
    assert found.refused[3].reason == "called by another program"


def test_a_call_of_ours_without_heights_is_told():
    tx = make_tx(call(EVENT_TAG + EVENT, height=None))

    assert read_transaction(tx).refused[0].reason == "no stack height"
    strange = make_tx(call(b"x", program=_OTHER, height=None), outer=_OTHER)
    assert read_transaction(strange).refused == ()


def test_where_an_event_stood_is_known():
    tx = make_tx(call(b"x", program=_OTHER, accounts=()), call(EVENT_TAG + EVENT))

    (found,) = read_transaction(tx).events

    assert (found.outer, found.inner, found.payload) == (0, 1, EVENT)
    assert found.event.n_accepted == 2


def test_an_overlong_call_is_not_even_decoded():
    tx = make_tx(call(EVENT_TAG + EVENT))
    tx["meta"]["innerInstructions"][0]["instructions"][0]["data"] = "1" * 10_000_000

    assert events_from_transaction(tx) == []


@pytest.mark.parametrize("index", [-1, 9, None, "1", 1.0, True])
def test_an_account_index_outside_the_accounts_is_refused(index):
    tx = make_tx(call(EVENT_TAG + EVENT))
    tx["meta"]["innerInstructions"][0]["instructions"][0]["programIdIndex"] = index

    with pytest.raises(ObjectInvalid, match="unexpected shape"):
        events_from_transaction(tx)


@pytest.mark.parametrize(
    "path",
    [
        ("meta",),
        ("meta", "innerInstructions"),
        ("meta", "innerInstructions", 0),
        ("meta", "innerInstructions", 0, "instructions"),
        ("transaction",),
        ("transaction", "message"),
        ("transaction", "message", "accountKeys"),
        ("transaction", "message", "instructions"),
    ],
)
@pytest.mark.parametrize("value", [7, "x", [7], {"x": 7}])
def test_a_malformed_answer_gives_no_event(path, value):
    tx = copy.deepcopy(make_tx(call(EVENT_TAG + EVENT)))
    where = tx
    for part in path[:-1]:
        where = where[part]
    where[path[-1]] = value

    with pytest.raises(ObjectInvalid, match="unexpected shape"):
        events_from_transaction(tx)


def make_signer(number: int) -> KeypairSigner:
    return KeypairSigner(bytes((number,)) * 32)


def make_instruction(signer: KeypairSigner, payer: KeypairSigner | None = None):
    return repo_create(
        payer=(payer or signer).address,
        creator=signer.address,
        name="heart",
        points_per_merge=1,
    )


def test_a_signed_transaction_carries_the_signature_of_each_signer():
    payer, creator = make_signer(1), make_signer(2)
    signed = sign_transaction(
        [make_instruction(creator, payer)], [payer, creator], BLOCKHASH
    )

    message = signed.wire[1 + 2 * 64 :]
    assert signed.wire[0] == 2
    assert signed.signature == base58.b58encode(signed.wire[1:65]).decode()
    verify_signature(payer.address, message, signed.wire[1:65])
    verify_signature(creator.address, message, signed.wire[65:129])


def test_a_missing_or_needless_signer_is_refused():
    payer, creator = make_signer(1), make_signer(2)
    instruction = make_instruction(creator, payer)

    with pytest.raises(UsageError, match=str(creator.address)):
        sign_transaction([instruction], [payer], BLOCKHASH)
    with pytest.raises(UsageError, match=str(make_signer(3).address)):
        sign_transaction([instruction], [payer, creator, make_signer(3)], BLOCKHASH)
    with pytest.raises(UsageError, match="needs a signer"):
        sign_transaction([instruction], [], BLOCKHASH)


def test_a_transaction_that_does_not_fit_is_refused_before_it_is_sent():
    signer = make_signer(1)
    closes = [
        round_close(
            actor=signer.address,
            repo=Address(bytes((n,)) * 32),
            branch=Address(bytes((n + 50,)) * 32),
            policy=Address(bytes((n + 100,)) * 32),
            round_index=n,
        )
        for n in range(1, 20)
    ]

    with pytest.raises(UsageError, match="at most 1232 fit"):
        sign_transaction(closes, [signer], BLOCKHASH)


class Liar:
    address = Address(bytes(make_signer(1).address))

    def sign(self, message: bytes) -> bytes:
        return make_signer(2).sign(message)


def test_a_signer_that_gives_anothers_signature_is_refused():
    with pytest.raises(SignatureInvalid):
        sign_transaction([make_instruction(make_signer(1))], [Liar()], BLOCKHASH)
