from pathlib import Path

import pytest

from flair_client.errors import IdentifierInvalid, NetworkUnknown, Refused, UsageError
from flair_client.settings import (
    Flags,
    find_workspace_folder,
    home_folder,
    load_settings,
    wallet_file,
)


@pytest.fixture
def place(tmp_path):
    """A user's folder, a workspace and a system folder, all empty."""
    for name in ("home", "work/.flair", "system"):
        (tmp_path / name).mkdir(parents=True)
    return tmp_path


def load(place, flags=None, env=None):
    environment = {"FLAIR_HOME": str(place / "home")} | (env or {})
    return load_settings(
        flags or Flags(),
        environment=environment,
        folder=place / "work",
        system_folder=place / "system",
    )


def write(path: Path, wallet: str) -> None:
    path.write_text(f'[core]\nwallet = "{wallet}"\n')


def test_precedence_step_by_step(place):
    steps = [
        (place / "system/config.toml", "system"),
        (place / "home/config.toml", "user"),
        (place / "work/.flair/config", "workspace"),
        (place / "work/.flair/config.local", "local"),
    ]
    assert load(place).text("core.wallet") == "default"
    for path, wallet in steps:
        write(path, wallet)
        found = load(place).values["core.wallet"]
        assert (found.value, found.origin) == (wallet, str(path))

    env = {"FLAIR_WALLET": "environment"}
    found = load(place, env=env).values["core.wallet"]
    assert (found.value, found.origin) == ("environment", "environment FLAIR_WALLET")

    flags = Flags(wallet="flag")
    found = load(place, flags, env).values["core.wallet"]
    assert (found.value, found.origin) == ("flag", "flag --wallet")

    write(place / "system/site.toml", "site")
    found = load(place, flags, env).values["core.wallet"]
    assert (found.value, found.origin) == ("site", str(place / "system/site.toml"))


@pytest.mark.parametrize(
    ("variable", "value", "name", "expected"),
    [
        ("FLAIR_NO_PROGRESS", "1", "core.progress", False),
        ("FLAIR_NO_PROGRESS", "0", "core.progress", True),
        ("FLAIR_NO_PROGRESS", "", "core.progress", True),
        ("NO_COLOR", "1", "core.color", False),
        ("NO_COLOR", "", "core.color", True),
        ("FLAIR_NETWORK", "devnet", "core.network", "devnet"),
        ("FLAIR_NETWORK", "", "core.network", "localnet"),
    ],
)
def test_environment(place, variable, value, name, expected):
    assert load(place, env={variable: value}).get(name) == expected


def test_home_is_flag_then_environment_then_the_platforms_place(tmp_path):
    env = {"FLAIR_HOME": str(tmp_path / "env")}

    assert home_folder(Flags(home=tmp_path / "flag"), env) == tmp_path / "flag"
    assert home_folder(Flags(), env) == tmp_path / "env"
    assert home_folder(Flags(), {}).name == "flair"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[core", "not TOML"),
        ("[core]\nwalet = 'x'\n", "'core.walet' is not a setting"),
        ("[core]\nwallet = 3\n", "core.wallet is text, not 3"),
        ("[core]\ncolor = 'yes'\n", "core.color is true or false"),
        ("[rpc]\ntimeout_s = true\n", "rpc.timeout_s is a whole number"),
        ("[rpc]\ntimeout_s = 0\n", "rpc.timeout_s is a whole number"),
        ("[network.x]\nurl = 'ftp://x'\n", "network.x.url is a URL"),
        ("[network.'X Y']\nurl = 'http://x'\n", "cannot be the name of a network"),
        ("[limits]\nnetworks = [1]\n", "limits.networks is a list of texts"),
        ("wallet = 'x'\n", "'wallet' is not a setting"),
    ],
)
def test_a_wrong_file_is_refused_by_its_name(place, text, message):
    path = place / "home/config.toml"
    path.write_text(text)

    with pytest.raises(UsageError, match=r"config\.toml") as caught:
        load(place)

    assert message in str(caught.value)


def test_a_malformed_genesis_hash_is_refused(place):
    (place / "home/config.toml").write_text("[network.x]\ngenesis_hash = 'no0'\n")

    with pytest.raises(IdentifierInvalid):
        load(place)


def test_an_enormous_file_is_not_read(place):
    (place / "home/config.toml").write_bytes(b"#" * (1024 * 1024 + 1))

    with pytest.raises(UsageError, match="longer"):
        load(place)


def test_workspace_is_found_from_a_folder_deep_inside(place):
    deep = place / "work/a/b"
    deep.mkdir(parents=True)

    assert find_workspace_folder(deep) == place / "work"
    assert find_workspace_folder(place / "home") is None


def test_profiles_merge_field_by_field(place):
    (place / "home/config.toml").write_text(
        "[network.devnet]\nstore = 'file:///srv/blocks'\n"
    )

    profile = load(place).profile("devnet")

    assert profile.store_url == "file:///srv/blocks"
    assert profile.rpc_url == "https://api.devnet.solana.com"
    assert profile.genesis_hash == "EtWTRABZaYq6iMfeYKouRu166VU2xqa1wcaWoxPkrZBG"


def test_a_profile_without_a_store_has_one_in_the_users_folder(place):
    profile = load(place).profile("test-validator")

    assert profile.store_url == (place / "home/stores/test-validator").as_uri()
    assert profile.genesis_hash is None


def test_an_unknown_network_is_named(place):
    with pytest.raises(NetworkUnknown, match="'localnet'"):
        load(place).profile()
    with pytest.raises(IdentifierInvalid):
        load(place).profile("../x")


def test_the_sites_limits_beat_the_user(place):
    (place / "system/site.toml").write_text("[limits]\nnetworks = ['clinic']\n")
    (place / "home/config.toml").write_text("[limits]\nnetworks = ['devnet']\n")

    with pytest.raises(Refused, match="devnet"):
        load(place).profile("devnet")


def test_program_id_is_the_chains_unless_the_profile_says_otherwise(place):
    from flair_client.chain.pdas import PROGRAM_ID

    assert load(place).profile("devnet").program_id == PROGRAM_ID


@pytest.mark.parametrize("wallet", ["../x", "", "A", "a b", ".."])
def test_a_wallets_name_cannot_leave_its_folder(place, wallet):
    home = place / "home"
    if "/" in wallet:
        assert wallet_file(home, wallet) == Path(wallet)
    else:
        with pytest.raises(IdentifierInvalid):
            wallet_file(home, wallet)


def test_a_wallet_is_a_name_or_a_path(place):
    home = place / "home"

    assert wallet_file(home, "alice") == home / "wallets/alice.json"
    assert wallet_file(home, "./alice") == Path("alice")
    assert wallet_file(home, "alice.json") == Path("alice.json")
