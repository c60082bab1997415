"""A localnet, and the builders of histories and places on the path of these tests."""

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "client" / "history")]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A localnet of this module whose clock tests can put forward, and all wallets."""
    from aggregator_place import Place, clock_localnet

    folder = tmp_path_factory.mktemp("place")
    with clock_localnet(folder / "net") as net:
        place = Place(folder, net.url, net.genesis_hash, net.ahead_ms)
        yield place
        place.close()


@pytest.fixture
def home(place, tmp_path, monkeypatch):
    """A home folder whose profile is this module's localnet."""
    from flair_client.config_file import write_config

    write_config(
        tmp_path / "config.toml",
        {
            "network.localnet.url": place.url,
            "network.localnet.genesis_hash": place.genesis_hash,
            "network.localnet.store": place.profile.store_url,
        },
    )
    monkeypatch.setenv("FLAIR_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path
