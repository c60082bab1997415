"""The command, its settings, and how it begins and ends."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from flair_client.config_file import write_config
from flair_client.errors import UsageError
from flair_client.serving import listen, url_of
from flair_web.cli import web
from flair_web.serving import served
from flair_web.settings import WebSettings, read_secret, settings_from

FLAIR = Path(sys.executable).with_name("flair")
NEEDED = {"FLAIR_WEB_DATABASE": "sqlite:////x", "FLAIR_WEB_STORE": "file:///y"}


def profile(home, store):
    """A network at which nobody answers."""
    values = {"url": "http://127.0.0.1:9", "store": store}
    write_config(
        home / "config.toml",
        {f"network.localnet.{name}": value for name, value in values.items()},
    )


@pytest.mark.parametrize(
    "origin",
    [
        "models.example",
        "ftp://models.example",
        "https://models.example/path",
        "https://models.example?q=1",
        "https://",
        "javascript:alert(1)",
    ],
)
def test_an_origin_that_is_none_is_refused(origin):
    with pytest.raises(UsageError, match="no origin"):
        WebSettings("", "", origin=origin)


def test_an_origin_with_tls_has_cookies_that_never_leave_it(world):
    secure = WebSettings("", "", origin="https://models.example/")

    assert secure.origin == "https://models.example"
    assert secure.is_secure
    assert not WebSettings("", "").is_secure
    assert b"\x00" not in repr(secure).encode()
    assert repr(secure.secret) not in repr(secure)


def test_settings_come_from_the_environment(tmp_path):
    key = tmp_path / "key"
    key.write_bytes(b"k" * 40)
    key.chmod(0o600)
    found = settings_from(
        NEEDED
        | {
            "FLAIR_WEB_PROXIES": "2",
            "FLAIR_WEB_ORIGIN": "https://models.example",
            "FLAIR_WEB_SECRET_FILE": str(key),
            "FLAIR_WEB_NETWORK": "devnet",
            "OTHER": "x",
        }
    )

    assert (found.proxies, found.network, found.secret) == (2, "devnet", b"k" * 40)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"FLAIR_WEB_STORE": ""}, "FLAIR_WEB_STORE is not set"),
        ({"FLAIR_WEB_PROXIES": "one"}, "is no number"),
        ({"FLAIR_WEB_SECRET_FILE": "/nowhere/key"}, "cannot be read"),
    ],
)
def test_settings_that_cannot_work_are_refused(changes, words):
    with pytest.raises(UsageError, match=words):
        settings_from(NEEDED | changes)


def test_a_secret_that_others_may_read_is_refused(tmp_path):
    key = tmp_path / "key"
    key.write_bytes(b"k" * 40)
    key.chmod(0o644)

    with pytest.raises(UsageError, match="others may read"):
        read_secret(key)


def test_a_short_secret_is_refused(tmp_path):
    key = tmp_path / "key"
    key.write_bytes(b"short\n")
    key.chmod(0o600)

    with pytest.raises(UsageError, match="fewer than 32"):
        read_secret(key)


def test_a_database_without_tables_is_refused(tmp_path):
    profile(tmp_path, "file:///y")
    found = subprocess.run(
        [FLAIR, "web", "--home", tmp_path, "--port", "0"],
        check=False,
        capture_output=True,
        text=True,
    )

    assert found.returncode != 0
    assert "flair indexer" in found.stderr


def test_help_has_examples():
    told = CliRunner().invoke(web, ["--help"]).output

    assert "Examples" in told
    assert "flair web --proxies 1" in told


def test_the_command_serves_until_it_is_asked_to_end(world, story, tmp_path):
    home = tmp_path / "home"
    store = (tmp_path / "blocks").as_uri()
    profile(home, store)
    child = subprocess.Popen(
        [
            *(FLAIR, "web", "--home", home, "--port", "0", "--rate", "none"),
            *("--database", str(world.database.url)),
        ],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ,
    )
    with child:
        line = child.stderr.readline()
        url = re.search(r"the site is at (\S+?);", line).group(1)
        with httpx.Client(base_url=url) as client:
            assert client.get("/healthz").json()["ok"] is True
            assert "heart" in client.get("/").text
            missing = client.get(story.path)
            assert "Missing: no store has it" in missing.text, "its store is another"
        child.send_signal(signal.SIGTERM)
        rest = child.stderr.read()

    assert child.returncode == 0, rest
    assert "Traceback" not in rest


def test_a_site_in_a_thread_ends_with_its_context(world, story):
    listener = listen("127.0.0.1", 0)
    url = url_of("127.0.0.1", listener)
    with served(world.app, listener), httpx.Client(base_url=url) as client:
        assert client.get(story.path).status_code == 200
        file = client.get(
            f"{story.path}/download/{story.head}.safetensors",
            headers={"Range": "bytes=8-20"},
        )
        assert (file.status_code, len(file.content)) == (206, 13)

    with pytest.raises(httpx.ConnectError):
        httpx.get(url)
