"""Out through a proxy to a server whose certificate a private authority signed."""

import contextlib

import pytest
from private_network import HOST, Proxy, SecureNode, make_authority, server_context

from flair_client.chain.rpc import Rpc
from flair_client.chain.transport import Door, Patience
from flair_client.config_file import write_config
from flair_client.errors import RpcUnavailable, UsageError
from flair_client.opening import open_context
from flair_client.settings import Flags, load_settings

URL = f"https://{HOST}"
HEIGHT = 12
ONCE = Patience(timeout_s=20, attempts=1)


@pytest.fixture
def authority(tmp_path):
    return make_authority(tmp_path)


@pytest.fixture
def proxy(tmp_path, authority):
    node = SecureNode(server_context(tmp_path, authority), {"getBlockHeight": HEIGHT})
    made = Proxy(node.port)
    yield made
    made.close()
    node.close()


def height(door):
    with contextlib.closing(Rpc(URL, door=door, patience=ONCE)) as rpc:
        return rpc.get_block_height()


def test_the_chain_is_reached_through_the_proxy(proxy, authority):
    assert height(Door(proxy.url, str(authority[0]))) == HEIGHT
    assert proxy.asked == [f"CONNECT {HOST}:443 HTTP/1.1"]


def test_the_settings_say_so(proxy, authority, tmp_path):
    write_config(
        tmp_path / "config.toml",
        {
            "core.network": "clinic",
            "network.clinic.url": URL,
            "rpc.proxy": proxy.url,
            "rpc.ca_file": str(authority[0]),
        },
    )
    settings = load_settings(Flags(home=tmp_path), environment={}, folder=tmp_path)

    with contextlib.closing(open_context(settings).chain) as chain:
        assert chain.rpc.get_block_height() == HEIGHT


def test_the_environment_says_so_as_well(proxy, authority, monkeypatch):
    for name in ("NO_PROXY", "no_proxy", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority[0]))

    assert height(Door()) == HEIGHT


def test_without_the_authority_nothing_is_believed(proxy):
    with pytest.raises(RpcUnavailable, match="CERTIFICATE_VERIFY_FAILED"):
        height(Door(proxy.url))


def test_another_authority_is_not_believed(proxy, tmp_path):
    other, _, _ = make_authority(tmp_path, "stranger")

    with pytest.raises(RpcUnavailable, match="CERTIFICATE_VERIFY_FAILED"):
        height(Door(proxy.url, str(other)))


def test_a_proxy_that_lets_nobody_through_is_told(proxy, authority):
    door = Door(proxy.url, str(authority[0]))

    with (
        contextlib.closing(
            Rpc("https://other.example", door=door, patience=ONCE)
        ) as rpc,
        pytest.raises(RpcUnavailable, match="403"),
    ):
        rpc.get_block_height()


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_file_without_certificates_is_named(tmp_path, content):
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)

    with pytest.raises(UsageError, match=r"ca\.pem: no certificates in PEM"):
        Rpc(URL, door=Door(None, str(path)))
