import pytest


def test_set_get_unset(flair, home):
    assert flair("config", "set", "core.wallet", "alice").code == 0
    assert flair("config", "get", "core.wallet").out == "alice\n"
    line = flair("config", "unset", "core.wallet", "--json").line
    assert line["result"]["previous"] == "alice"
    assert line["result"]["value"] is None
    assert flair("config", "get", "core.wallet").out == "default\n"


def test_show_origin_tells_which_file_won(flair, workspace):
    flair("config", "set", "core.wallet", "mine")
    flair("config", "set", "core.wallet", "here", "--workspace")
    flair("config", "set", "core.wallet", "private", "--local")

    origin = flair("config", "get", "core.wallet", "--show-origin").out

    assert origin == f"private\t{workspace}/.flair/config.local\n"
    assert origin.split()[1] in flair("config", "list", "--show-origin").out
    entries = flair("config", "list", "--json").line["result"]["entries"]
    origins = {item["name"]: item["origin"] for item in entries}
    assert origins["core.wallet"] == f"{workspace}/.flair/config.local"
    assert origins["core.network"] == "built in"


def test_set_warns_when_something_else_wins(flair, workspace, monkeypatch):
    flair("config", "set", "core.wallet", "here", "--workspace")

    ran = flair("config", "set", "core.wallet", "mine")
    assert f"{workspace}/.flair/config, which wins" in ran.err

    monkeypatch.setenv("FLAIR_WALLET", "env")
    line = flair("config", "set", "core.wallet", "x", "--local", "--json").line
    assert line["result"]["overruled_by"] == "environment FLAIR_WALLET"


def test_set_in_a_workspace_needs_one(flair):
    line = flair("config", "set", "core.wallet", "x", "--workspace", "--json").line

    assert line["exit_code"] == 2
    assert line["error_code"] == "NotAWorkspace"


@pytest.mark.parametrize(
    ("name", "value"),
    [("core.nonsense", "x"), ("core.color", "blue"), ("network.x.url", "rpc")],
)
def test_a_setting_that_cannot_be_is_refused(flair, home, name, value):
    assert flair("config", "set", name, value).code == 2
    assert not (home / "config.toml").exists()


def test_flags_win_over_everything_of_the_user(flair):
    flair("config", "set", "core.network", "devnet")

    ran = flair("config", "get", "core.network", "--network", "mainnet")

    assert ran.out == "mainnet\n"


def test_a_broken_file_is_named_and_exits_2(flair, home):
    home.mkdir()
    (home / "config.toml").write_text("[core\n")

    line = flair("config", "list", "--json").line

    assert line["exit_code"] == 2
    assert str(home / "config.toml") in line["message"]
