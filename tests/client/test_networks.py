"""The public clusters' genesis hashes: one truth, told in three places."""

import re
from pathlib import Path

from flair_client.localnet.genesis import PUBLIC_GENESIS_HASHES
from flair_client.localnet.methods import METHODS
from flair_client.settings import Flags, load_settings

PAGE = (Path(__file__).parents[2] / "docs" / "networks.md").read_text()


def test_profiles_localnet_and_page_name_the_same_hashes(tmp_path):
    settings = load_settings(
        Flags(home=tmp_path), environment={}, folder=tmp_path, system_folder=tmp_path
    )
    pinned = {
        name: settings.profile(name).genesis_hash for name in ("mainnet", "devnet")
    }
    told = dict(re.findall(r"^\| (\w+) \| `(\w{43,44})` \|$", PAGE, re.MULTILINE))

    assert {name: told[name] for name in pinned} == pinned
    assert sorted(told.values()) == sorted(PUBLIC_GENESIS_HASHES)
    assert settings.profile("test-validator").genesis_hash is None


def test_the_page_names_every_profile_and_every_method(tmp_path):
    settings = load_settings(
        Flags(home=tmp_path), environment={}, folder=tmp_path, system_folder=tmp_path
    )
    told = re.findall(
        r"`(get\w+|is\w+|minimum\w+|send\w+|simulate\w+|request\w+)`", PAGE
    )

    assert [
        name for name in settings.network_names if f"| `{name}` |" not in PAGE
    ] == []
    assert set(METHODS) <= set(told)
