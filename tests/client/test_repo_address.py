import pytest
from hypothesis import given
from hypothesis import strategies as st

from flair_client.errors import IdentifierInvalid
from flair_client.ids import Address
from flair_client.repo_address import RepoAddress, resolve_repo_address

CREATOR = Address(bytes(range(32)))
NAMES = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,63}", fullmatch=True)
REFS = st.none() | st.from_regex(r"[a-z0-9][a-z0-9._-]{0,63}", fullmatch=True)


@given(NAMES, st.binary(min_size=32, max_size=32), NAMES, REFS)
def test_text_parses_to_the_same_address(network, creator, name, ref):
    address = RepoAddress(network, Address(creator), name, ref)

    assert RepoAddress.parse(str(address)) == address


@given(st.text())
def test_any_text_is_an_address_or_refused(text):
    for start in ("", "flair://", f"flair://localnet/{CREATOR}/"):
        try:
            found = RepoAddress.parse(start + text)
        except IdentifierInvalid:
            continue
        assert str(found) == start + text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "heart",
        "http://localnet/x/heart",
        "flair://localnet/heart",
        f"flair://localnet/{CREATOR}",
        f"flair://localnet/{CREATOR}/heart/more",
        f"flair://localnet/{CREATOR}/Heart",
        f"flair://localnet/{CREATOR}/heart@",
        f"flair://localnet/{CREATOR}/heart@a@b",
        f"flair://Local/{CREATOR}/heart",
        f"flair:///{CREATOR}/heart",
        f"flair://localnet/{str(CREATOR)[:-1]}/heart",
        f"flair://localnet/0{str(CREATOR)[1:]}/heart",
        f"flair://localnet/{CREATOR}/.heart",
        f"flair://localnet/{CREATOR}/{'h' * 65}",
        f"flair://localnet/{CREATOR}/heart\n",
        "flair://" + "x" * 10_000,
    ],
)
def test_other_texts_are_refused(text):
    with pytest.raises(IdentifierInvalid):
        RepoAddress.parse(text)


def test_a_reference_may_count_back():
    text = f"flair://localnet/{CREATOR}/heart@main~2"

    assert RepoAddress.parse(text).ref == "main~2"


def test_short_forms_take_what_is_missing_from_the_user():
    expected = RepoAddress("devnet", CREATOR, "heart")

    for text in ("heart", f"{CREATOR}/heart", f"flair://devnet/{CREATOR}/heart"):
        found = resolve_repo_address(text, network="devnet", creator=CREATOR)
        assert found == expected


def test_a_bare_name_without_a_wallet_is_refused():
    with pytest.raises(IdentifierInvalid, match="names no creator"):
        resolve_repo_address("heart", network="devnet", creator=None)


def test_at_names_another_commit_of_the_same_repository():
    address = RepoAddress("localnet", CREATOR, "heart", "main")

    assert str(address.at("abc")).endswith("/heart@abc")
    assert str(address.at(None)).endswith("/heart")
