import pytest

from flair_client.config_file import (
    find_key,
    parse_value,
    read_config,
    write_config,
)
from flair_client.errors import UsageError


def test_writing_keeps_comments_and_other_settings(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text("# mine\n[core]\nwallet = 'a'  # the first\ncolor = false\n")

    write_config(path, {"core.wallet": "b", "network.clinic.url": "http://rpc"})

    assert path.read_text().startswith("# mine\n")
    assert "# the first" in path.read_text()
    assert read_config(path) == {
        "core.wallet": "b",
        "core.color": False,
        "network.clinic.url": "http://rpc",
    }


def test_none_takes_a_setting_out(tmp_path):
    path = tmp_path / "config.toml"
    write_config(path, {"core.wallet": "a", "core.network": "devnet"})

    write_config(path, {"core.wallet": None, "network.x.url": None})

    assert read_config(path) == {"core.network": "devnet"}


def test_a_bad_change_leaves_the_file_alone(tmp_path):
    path = tmp_path / "config.toml"
    write_config(path, {"core.wallet": "a"})
    before = path.read_bytes()

    with pytest.raises(UsageError):
        write_config(path, {"core.network": "devnet", "core.color": "yes"})

    assert path.read_bytes() == before
    assert [item.name for item in tmp_path.iterdir()] == ["config.toml"]


def test_a_failed_write_leaves_the_old_file_and_no_rest(tmp_path, monkeypatch):
    path = tmp_path / "config.toml"
    write_config(path, {"core.wallet": "a"})

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_config(path, {"core.wallet": "b"})

    assert read_config(path) == {"core.wallet": "a"}
    assert [item.name for item in tmp_path.iterdir()] == ["config.toml"]


def test_the_folder_that_is_made_is_the_users_alone(tmp_path):
    write_config(tmp_path / "flair/config.toml", {"core.wallet": "a"})

    assert (tmp_path / "flair").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("core.color", "true", True),
        ("core.color", "FALSE", False),
        ("rpc.timeout_s", "60", 60),
        ("limits.networks", "a, b,", ("a", "b")),
        ("core.wallet", "alice", "alice"),
        ("network.clinic.url", "https://rpc.example", "https://rpc.example"),
        ("network.a.b.url", "https://rpc.example", "https://rpc.example"),
    ],
)
def test_values_are_read_as_their_setting_asks(name, text, value):
    assert parse_value(name, text) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("core.color", "maybe"),
        ("rpc.timeout_s", "-1"),
        ("rpc.timeout_s", "²"),
        ("core.wallet", ""),
        ("network.clinic.url", "rpc.example"),
        ("network.url", "https://rpc.example"),
        ("network..url", "https://rpc.example"),
        ("core", "x"),
        ("", "x"),
    ],
)
def test_values_that_cannot_be_are_refused(name, text):
    with pytest.raises(UsageError):
        parse_value(name, text)


def test_a_profile_field_is_found_by_its_last_word():
    assert find_key("network.clinic.store").help == "where blocks are kept"


@pytest.mark.parametrize(
    "text", ["a = " + "[" * 9_000, "a" + ".a" * 9_000 + " = 1"], ids=["lists", "dotted"]
)
def test_tables_in_tables_without_end_name_the_file(tmp_path, text):
    path = tmp_path / "config"
    path.write_text(text)

    with pytest.raises(UsageError, match=str(path)):
        read_config(path)
