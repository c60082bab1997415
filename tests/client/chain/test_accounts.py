import dataclasses
import hashlib
import re
from enum import IntEnum, IntFlag
from pathlib import Path
from typing import get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flair_client.chain.accounts import (
    ACCOUNT_NAMES,
    BranchAccount,
    PolicyAccount,
    PolicyParams,
    RawAccount,
    RepoAccount,
    RoundAccount,
    Scope,
    account_discriminator,
    account_offset,
    account_size,
    decode_account,
    decode_account_as,
    encode_account,
)
from flair_client.chain.layout import (
    Codec,
    LayoutError,
    encode,
    enumeration,
    fields_of,
    size_of,
)
from flair_client.chain.pdas import PROGRAM_ID
from flair_client.errors import AccountInvalid
from flair_client.ids import Address, CommitId, Digest

WHERE = Address(b"\7" * 32)
PROTOCOL = Path(__file__).parents[3] / "docs" / "protocol.md"
NAMES = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,63}", fullmatch=True)


def values_of(name: str, hint: type, size: int) -> st.SearchStrategy:
    simple = {bool: st.booleans(), str: NAMES}
    if hint in simple:
        return simple[hint]
    if isinstance(hint, type) and issubclass(hint, IntEnum | IntFlag):
        return st.sampled_from(list(hint))
    if hint is bytes:
        return st.binary(min_size=size, max_size=size)
    if hint in (Address, Digest, CommitId):
        return st.binary(min_size=32, max_size=32).map(hint)
    if hint is int:
        signed = name in ("scale_exp", "created_at", "expires_at", "pushed_at")
        top = 8 * size - (1 if signed else 0)
        low = -(2**top) if signed else 0
        # Other signed fields are covered by non-negative values of one bit less.
        return st.integers(low, 2 ** (8 * size - 1) - 1)
    return structures(hint)


def structures(kind: type) -> st.SearchStrategy:
    hints = get_type_hints(kind)
    fields = {
        field.name: values_of(field.name, hints[field.name], field.part.size)
        for field in fields_of(kind)
        if isinstance(field.part, Codec)
    }
    if kind is PolicyAccount:
        fields["digest"] = st.just(Digest(bytes(32)))
    return st.builds(kind, **fields)


def raw(data: bytes, owner: Address = PROGRAM_ID) -> RawAccount:
    return RawAccount(WHERE, owner, 1, data)


def make_branch(**changes) -> BranchAccount:
    values = {
        "bump": 254,
        "protected": False,
        "name": "main",
        "repo": Address(b"\1" * 32),
        "head_commit": CommitId(b"\2" * 32),
        "head_seq": 3,
        "round_index": 4,
        "round_live": True,
        "policy_index": 5,
        "created_at": 6,
    }
    return BranchAccount(**{**values, **changes})


def test_sizes_are_those_of_the_protocol():
    documented = {
        name: int(size)
        for name, size in re.findall(
            r"^### (\w+) — .*?(\d+) bytes", PROTOCOL.read_text(), re.MULTILINE
        )
    }

    assert {
        name: account_size(kind) for kind, name in ACCOUNT_NAMES.items()
    } == documented
    assert size_of(PolicyParams) == 276


def test_a_branch_has_the_bytes_of_the_protocol():
    data = encode_account(make_branch())

    # By hand, from the table in docs/protocol.md.
    assert data[:8] == hashlib.sha256(b"account:Branch").digest()[:8]
    assert data[8:12] == bytes((1, 254, 4, 0))
    assert data[12:76] == b"main" + bytes(60)
    assert data[76:108] == b"\1" * 32
    assert data[108:140] == b"\2" * 32
    assert data[140:148] == (3).to_bytes(8, "little")
    assert data[148:156] == (4).to_bytes(8, "little")
    assert data[156:161] == b"\1\5\0\0\0"
    assert data[161:169] == (6).to_bytes(8, "little")
    assert data[169:] == bytes(69)


@pytest.mark.parametrize("kind", ACCOUNT_NAMES, ids=ACCOUNT_NAMES.get)
def test_an_account_comes_back_as_it_went(kind):
    @given(structures(kind))
    def check(account):
        data = encode_account(account)
        back = decode_account(raw(data))
        if kind is PolicyAccount:
            assert back.digest == Digest(hashlib.sha256(data).digest())
            back = dataclasses.replace(back, digest=account.digest)
        assert len(data) == account_size(kind)
        assert back == account

    check()


@pytest.mark.parametrize("kind", ACCOUNT_NAMES, ids=ACCOUNT_NAMES.get)
@given(st.data())
def test_hostile_bytes_are_refused_or_read_but_nothing_else(kind, data):
    size = account_size(kind) - 8
    body = data.draw(st.binary(min_size=size, max_size=size))

    try:
        read = decode_account(raw(account_discriminator(kind) + body))
    except AccountInvalid:
        return
    assert decode_account(raw(encode_account(read))) == read


def test_reserved_bytes_are_ignored_but_a_policys_digest_covers_them():
    data = encode_account(make_branch())

    assert decode_account(raw(data[:-1] + b"\x09")) == make_branch()


def test_another_owner_is_refused():
    with pytest.raises(AccountInvalid, match="owned by"):
        decode_account(raw(encode_account(make_branch()), Address(b"\5" * 32)))


@pytest.mark.parametrize("change", [-1, 1])
def test_another_size_is_refused(change):
    data = encode_account(make_branch())
    data = data[:change] if change < 0 else data + b"\0"

    with pytest.raises(AccountInvalid, match="a Branch has 238"):
        decode_account(raw(data))


def test_an_unknown_kind_is_refused():
    with pytest.raises(AccountInvalid, match="unknown kind"):
        decode_account(raw(b"\xff" * 300))


def test_another_kind_than_asked_for_is_refused():
    with pytest.raises(AccountInvalid, match="not a Repo"):
        decode_account_as(RepoAccount, raw(encode_account(make_branch())))


@pytest.mark.parametrize(
    ("at", "value", "reason"),
    [
        (8, 2, "version 2"),
        (10, 5, "length byte says 5"),
        (11, 2, "neither 0 nor 1"),
        (12, ord("A"), "not a valid name"),
        (12, 0, "not a valid name"),
        (13, ord("/"), "not a valid name"),
        (14, 0, "not a valid name"),
        (156, 9, "neither 0 nor 1"),
    ],
)
def test_a_field_outside_its_values_is_refused(at, value, reason):
    data = bytearray(encode_account(make_branch()))
    data[at] = value

    with pytest.raises(AccountInvalid, match=reason):
        decode_account(raw(bytes(data)))


def test_an_unknown_round_state_is_refused():
    data = account_discriminator(RoundAccount) + bytes((1, 0, 9)) + bytes(382)

    with pytest.raises(AccountInvalid, match="state: 9 is no RoundState"):
        decode_account(raw(data))


@pytest.mark.parametrize("bits", [16, 17, 1 << 15])
def test_bits_that_no_flag_has_are_refused(bits):
    codec = enumeration(Scope, 2)
    assert codec.decode((15).to_bytes(2, "little")) == (Scope(15), 2)

    with pytest.raises(LayoutError, match=f"{bits} is no Scope"):
        codec.decode(bits.to_bytes(2, "little"))


@pytest.mark.parametrize("name", ["", "A", "-a", "a" * 65, "a b", "ä"])
def test_a_bad_name_is_not_encoded(name):
    with pytest.raises(LayoutError):
        encode(make_branch(name=name))


def test_a_number_that_does_not_fit_is_not_encoded():
    with pytest.raises(LayoutError, match="does not fit 64 bits"):
        encode(make_branch(head_seq=2**64))


def test_offsets_are_those_of_the_protocol():
    assert account_offset(BranchAccount, "repo") == 76
    with pytest.raises(LayoutError):
        account_offset(BranchAccount, "colour")
