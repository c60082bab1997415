"""Links: one form, no secret in any message."""

import base58
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flair_client.errors import IdentifierInvalid
from flair_client.invite_link import InviteLink, check_sponsor_url
from flair_client.repo_address import RepoAddress
from flair_client.testing import OWNER

REPO = RepoAddress("devnet", OWNER.address, "heart")
SEED = bytes(range(224, 256))
SECRET = base58.b58encode(SEED).decode()


def test_a_link_is_written_as_the_documentation_says():
    link = InviteLink(REPO, SEED, "https://pay.example.org/flair")

    assert str(link) == (
        f"flair://devnet/{OWNER.address}/heart#invite={SECRET}"
        "&sponsor=https://pay.example.org/flair"
    )


@given(
    seed=st.binary(min_size=32, max_size=32),
    sponsor=st.sampled_from(
        [
            None,
            "http://127.0.0.1:8898",
            "https://[::1]:1",
            "https://a.example/x&y=z",
            "https://a.example/%20",
        ]
    ),
    branch=st.sampled_from([None, "trial"]),
)
def test_what_is_written_is_read_again(seed, sponsor, branch):
    link = InviteLink(REPO.at(branch), seed, sponsor)

    assert InviteLink.parse(str(link)) == link


@pytest.mark.parametrize(
    "end",
    [
        "",
        "#",
        "#invite=",
        "#invite=" + SECRET[:-2],
        "#invite=" + SECRET + "1",
        "#invite=0OIl",
        "#Invite=" + SECRET,
        "#invite=" + SECRET + "&",
        "#invite=" + SECRET + "&sponsor=",
        "#invite=" + SECRET + "&sponsor=ftp://a.example",
        "#invite=" + SECRET + "&sponsor=https://u:pw@a.example",
        "#invite=" + SECRET + "&sponsor=https://a.example?key=1",
        "#invite=" + SECRET + "&sponsor=https://a.example&sponsor=https://b.example",
        "#invite=" + SECRET + "&uses=3",
        "#sponsor=https://a.example&invite=" + SECRET,
        "#invite=" + SECRET + "&invite=" + SECRET,
        "#invite=" + SECRET + "&sponsor=https%3A//a.example",
        "#invite=" + SECRET + "&sponsor=https://a.example" + "a" * 1024,
        "#invite=" + SECRET + "#",
    ],
)
def test_anything_else_is_refused_without_its_secret(end):
    with pytest.raises(IdentifierInvalid) as caught:
        InviteLink.parse(f"{REPO}{end}")

    assert SECRET[:20] not in str(caught.value)
    assert "pw" not in str(caught.value).replace("://", "")


def test_a_link_to_no_repository_is_refused_without_its_secret():
    with pytest.raises(IdentifierInvalid) as caught:
        InviteLink.parse(f"https://a.example/heart#invite={SECRET}")

    assert SECRET not in str(caught.value)


def test_the_secret_is_not_shown_by_accident():
    assert SECRET not in repr(InviteLink(REPO, SEED))
    assert repr(SEED) not in repr(InviteLink(REPO, SEED))


@pytest.mark.parametrize(
    "url",
    [
        "",
        "pay.example.org",
        "https://",
        "https://a.example:99999",
        "https://a.example:0",
        "https://a.example#x",
        "https://a.example/ä",
        "https://a.example/a b",
    ],
)
def test_what_is_no_url_of_a_sponsor_is_refused(url):
    with pytest.raises(IdentifierInvalid):
        check_sponsor_url(url)


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused_in_words(text):
    try:
        InviteLink.parse(text)
    except IdentifierInvalid:
        return
    pytest.fail("noise became a link")
