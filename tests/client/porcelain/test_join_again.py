"""A wallet that joins once more by a link that is used up."""

from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from flair_client.chain.accounts import Scope
from flair_client.errors import InviteGone
from flair_client.ids import ZERO_ADDRESS
from flair_client.invite_link import InviteLink
from flair_client.porcelain import join as module
from flair_client.porcelain.join import join
from flair_client.porcelain.target import RepoTarget
from flair_client.testing import ALICE, MAIN, NOW, OWNER, REPO

LINK = f"flair://localnet/{OWNER.address}/heart"


@dataclass(frozen=True)
class Chain:
    """Knows roles, and no invite."""

    held: tuple

    def invite(self, _repo, _key):
        return None

    def role_for(self, _repo, branch, grantee):
        place = branch or ZERO_ADDRESS
        found = [one for one in self.held if one.branch == place]
        assert grantee == ALICE.address
        return found[0] if found else None

    def roles(self, _repo):
        return list(self.held)


def role(branch, *, expires_at=0, epoch=3):
    return SimpleNamespace(
        grantee=ALICE.address,
        branch=branch,
        scope=Scope.CONTRIBUTE,
        expires_at=expires_at,
        authority_epoch=epoch,
    )


@pytest.fixture
def joined(monkeypatch):
    """Joins with these roles held."""

    def call(*held):
        ctx = SimpleNamespace(
            sponsor_url=None, chain=Chain(held), wallet=ALICE, now=lambda: NOW
        )
        account = SimpleNamespace(authority_epoch=3)
        target = RepoTarget(ctx, None, REPO, account)
        monkeypatch.setattr(module, "find_repo", lambda *_: target)
        monkeypatch.setattr(RepoTarget, "branch_names", lambda _: {MAIN: "main"})
        link = InviteLink(module.RepoAddress.parse(LINK), bytes(32))
        return join(ctx, link, None)

    return call


@pytest.mark.parametrize(
    "over",
    [
        role(ZERO_ADDRESS, epoch=2),
        role(ZERO_ADDRESS, expires_at=NOW),
        role(REPO, expires_at=NOW),
        role(REPO, epoch=2),
    ],
)
def test_a_role_that_is_over_hides_none_that_holds(joined, over):
    found = joined(over, role(MAIN))

    assert (found.branch, found.tx_signature) == ("main", None)
    with pytest.raises(InviteGone):
        joined(over)
