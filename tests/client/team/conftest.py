"""A localnet for these tests, teams on it, and the command as a shell would run it."""

import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from flair_client.chain.client import ChainClient
from flair_client.chain.rpc import Rpc
from flair_client.chain.signer import KeypairSigner
from flair_client.cli.app import run
from flair_client.localnet import start_localnet
from flair_client.porcelain.sponsor import sponsor_set

sys.path.insert(0, str(Path(__file__).parent))


@dataclass(frozen=True)
class Ran:
    """What a run of the command said and how it ended."""

    code: int
    out: str
    err: str

    @property
    def result(self):
        assert self.out.count("\n") == 1, self.out
        return json.loads(self.out)["result"]

    @property
    def line(self):
        assert self.out.count("\n") == 1, self.out
        return json.loads(self.out)


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    with start_localnet(tmp_path_factory.mktemp("net") / "chain") as started:
        yield started


@pytest.fixture
def team(net, tmp_path):
    """A published model with two sites; the round to come is not open yet."""
    from team_world import Team

    made = Team(net, tmp_path)
    made.publish()
    made.join(2)
    yield made
    for ctx in (made.owner, *(ctx for ctx, _ in made.sites)):
        ctx.chain.close()


@pytest.fixture
def flair(team, monkeypatch, capsys):
    """Calls `flair` in the owner's workspace, or in the folder `cwd`."""
    for name in ("FLAIR_NETWORK", "FLAIR_WALLET", "FLAIR_NO_PROGRESS", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FLAIR_HOME", str(team.home))

    def call(*arguments: object, cwd: Path | None = None) -> Ran:
        monkeypatch.chdir(cwd or team.workspace.folder)
        capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return Ran(code, said.out, said.err)

    return call


@pytest.fixture
def poor(team):
    """Makes contexts of new wallets that hold nothing."""
    opened = []

    def make(seed):
        chain = ChainClient(Rpc(team.net.url, genesis_hash=team.net.genesis_hash))
        opened.append(chain)
        return replace(
            team.owner, chain=chain, signer=KeypairSigner(bytes([seed]) * 32)
        )

    yield make
    for chain in opened:
        chain.close()


@pytest.fixture
def sponsor(team, tmp_path):
    """A wallet that pays for the team's contributors, and its service."""
    from joining_world import serving

    payer = replace(team.context("payer"), home=tmp_path / "payer")
    sponsor_set(team.owner, team.repo, payer.wallet.address)
    with serving(payer, [team.repo]) as url:
        yield replace(payer, sponsor_url=url)
    payer.chain.close()
