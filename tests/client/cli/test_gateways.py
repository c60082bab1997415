"""Gateways that settings name, behind a store that lost blocks."""

import contextlib
import shutil
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from work_world import running_net

from flair_client.errors import SiteRefused
from flair_client.ids import Cid
from flair_client.opening import open_context
from flair_client.settings import Flags, load_settings
from flair_client.store import DiskStore


@pytest.fixture
def net(tmp_path):
    with running_net(tmp_path) as found:
        yield found


@contextlib.contextmanager
def gateway(folder, spoil=lambda block: block):
    """A gateway over a folder of blocks."""
    store = DiskStore(folder)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            cid = Cid.parse(urlsplit(self.path).path.rpartition("/")[2])
            body = spoil(store.get(cid)) if store.has(cid) else None
            self.send_response(404 if body is None else 200)
            self.send_header("content-length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *_words):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_a_lost_store_is_read_through_gateways_and_a_liar_is_named(net, tmp_path):
    owner = net.person("owner")
    repo = net.publish(owner, "heart")
    kept = tmp_path / "kept"
    shutil.move(urlsplit(net.store).path, kept)
    assert owner("verify", repo).code != 0
    with gateway(kept, lambda block: block[::-1]) as liar, gateway(kept) as honest:
        owner("config", "set", "store.gateways", f"{liar},{honest}")

        ran = owner("clone", repo, "copy")

        assert ran.code == 0, ran.err
        assert f"gateway {liar} is not asked any more" in ran.err
        assert honest not in ran.err


def test_a_site_says_which_gateways_may_be_asked(tmp_path):
    site = tmp_path / "etc"
    site.mkdir()
    (site / "site.toml").write_text('[limits]\nhosts = ["127.0.0.1", "file:///"]\n')
    home = tmp_path / "home"
    home.mkdir()
    (home / "config.toml").write_text('[store]\ngateways = ["https://else.test"]\n')
    settings = load_settings(
        Flags(home=home), environment={}, folder=Path("/"), system_folder=site
    )

    with pytest.raises(SiteRefused, match=r"else\.test"):
        open_context(settings, network="test-validator")
