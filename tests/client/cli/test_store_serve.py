"""`flair store serve` as a hospital behind a firewall uses it, and how it fails."""

import datetime as dt
import ipaddress
import json
import shutil
import ssl

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from store_process import store_process
from work_world import ROWS, Net, Person, running_net, shifted

from flair_client.chain.pdas import find_repo_pda
from flair_client.chain.signer import load_wallet
from flair_client.config_file import write_config
from flair_client.errors import (
    ObjectInvalid,
    ObjectTooLarge,
    StoreFull,
    StoreUnavailable,
    UploadRefused,
)
from flair_client.ids import CODEC_RAW, block_cid
from flair_client.repo_address import RepoAddress
from flair_client.site_rules import SiteRules
from flair_client.store import DiskStore, gateways
from flair_client.store.bulk import BlockSource
from flair_client.store.served import Sender, ServedStore
from flair_client.store.served_rpc import ServedPatience
from flair_client.training.recipe import parse_recipe, recipe_text

MIB = 1 << 20
ONCE = ServedPatience(timeout_s=20, attempts=1)


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    """A localnet; its own store is not used."""
    with running_net(tmp_path_factory.mktemp("net")) as made:
        yield made


@pytest.fixture
def server(chain, tmp_path):
    """A server for every repository of the localnet, not started yet."""
    home = tmp_path / "server"
    write_config(
        home / "config.toml",
        {
            "network.localnet.url": chain.url,
            "network.localnet.genesis_hash": chain.genesis_hash,
            "network.localnet.store": (tmp_path / "blocks").as_uri(),
        },
    )
    with store_process(home, "--any-repo", "--behind-proxy") as made:
        yield made


@pytest.fixture
def blocks(tmp_path):
    return DiskStore(tmp_path / "blocks")


def net_of(chain, server, folder):
    return Net(chain.url, chain.genesis_hash, server.url, folder)


@pytest.fixture
def owner(chain, server, tmp_path):
    """Somebody with a repository of their own, and a client of the started server."""
    person = net_of(chain, server.start(), tmp_path).person("owner")
    repo = person.json("repo", "create", "bare", "--bare")["repo"]
    address = RepoAddress.parse(repo)
    wallet = load_wallet(person.home / "wallets" / "default.json")
    account = find_repo_pda(address.creator, address.name)[0]

    def client(**how):
        return ServedStore(server.url, Sender(wallet, None, (account,)), **how)

    return client


def sources(n_blocks, size=MIB):
    made = [(b"%d " % n * size)[:size] for n in range(n_blocks)]
    return [
        BlockSource(block_cid(CODEC_RAW, one), size, lambda one=one: one)
        for one in made
    ]


def test_from_init_to_push_through_one_port_alone(chain, server, blocks, tmp_path):
    net = net_of(chain, server.start(), tmp_path)
    owner = net.person("owner")
    repo = net.publish(owner, "heart", "--min-updates", 1)
    site = net.person("site")
    cloned = site("clone", repo, "--trust")
    assert cloned.code == 0, cloned.err
    folder = site.folder / "heart"
    wallet = site.json("wallet", "show")["address"]
    new = shifted(folder / "weights.safetensors", site.folder / "new.safetensors")
    commit = ("commit", "-m", "one", "--weights", new, "--num-samples", 40)
    site.json(*commit, cwd=folder)

    refused = site("push", cwd=folder)
    owner.json("role", "grant", wallet, "contribute", "--repo", repo)
    pushed = site("push", cwd=folder)

    assert refused.code == 1
    assert "has no role" in refused.err
    assert "flair role grant" in refused.err
    assert pushed.code == 0, pushed.err
    status = Person(server.home, tmp_path)("store", "status")
    assert wallet in status.out
    assert "contribute" in status.out
    assert len(list(blocks)) > 5
    assert server.stop() == 0


def test_a_link_and_a_store_are_all_that_a_hospital_is_given(chain, server, tmp_path):
    net = net_of(chain, server.start(), tmp_path)
    owner = net.person("owner")
    repo = net.publish(owner, "heart", "--min-updates", 1)
    link = owner.json("invite", "create", "--expires", "1d", "--repo", repo)["link"]
    # Its profile of the network knows nothing of the store.
    site = Net(chain.url, chain.genesis_hash, chain.store, tmp_path).person("site")

    joined = site("join", link, "--trust", "--store", server.url)

    assert joined.code == 0, joined.err
    folder = site.folder / "heart"
    new = shifted(folder / "weights.safetensors", site.folder / "new.safetensors")
    commit = ("commit", "-m", "one", "--weights", new, "--num-samples", 40)
    site.json(*commit, cwd=folder)
    pushed = site("push", cwd=folder)
    assert pushed.code == 0, pushed.err
    assert site("push", cwd=folder).code == 0


def test_a_server_that_is_killed_in_an_upload_goes_on_with_it(server, owner, blocks):
    inner = httpx.HTTPTransport()
    killed = []

    class Killing(httpx.BaseTransport):
        def handle_request(self, request):
            answer = inner.handle_request(request)
            is_piece = request.method == "PATCH"
            if (is_piece and not killed) or request.url.path.endswith("/finish"):
                answer.close()
                if len(killed) < 2:
                    killed.append(request.url.path)
                    server.kill()
                    server.start()
                    raise httpx.ReadError("killed")
                answer = inner.handle_request(request)
            return answer

        def close(self):
            inner.close()

    store = owner(http=Killing(), sleep=lambda _: None)
    wanted = sources(12)

    store.put_all(wanted)
    store.close()

    assert len(killed) == 2
    assert {one.cid for one in wanted} <= set(blocks)
    left = list(server.home.glob("store-server/localnet/uploads/*.car"))
    assert left == []


def test_a_full_disk_is_told_and_the_upload_goes_on_when_there_is_room(
    server, owner, blocks
):
    server.stop()
    server.start(max_file=5 * MIB)
    store = owner(patience=ONCE)
    wanted = sources(12)

    with pytest.raises(StoreFull, match="no room"):
        store.put_all(wanted)
    (begun,) = server.home.glob("store-server/localnet/uploads/*.car")
    assert begun.stat().st_size > 0
    assert not {one.cid for one in wanted} & set(blocks)
    server.stop()
    server.start()
    store.put_all(wanted)
    store.close()

    assert {one.cid for one in wanted} <= set(blocks)
    assert not begun.exists()


def test_without_a_server_the_store_is_unavailable(server, owner):
    server.stop()
    store = owner(patience=ONCE)

    with pytest.raises(StoreUnavailable, match="does not answer"):
        store.put_all(sources(1, 100))
    store.close()


def certificate(folder, *, host="127.0.0.1"):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "hospital")])
    today = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(today - dt.timedelta(days=1))
        .not_valid_after(today + dt.timedelta(days=2))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    chain_file, key_file = folder / "chain.pem", folder / "key.pem"
    chain_file.write_bytes(made.public_bytes(pem))
    form = serialization.PrivateFormat.PKCS8
    key_file.write_bytes(key.private_bytes(pem, form, serialization.NoEncryption()))
    return chain_file, key_file


def test_its_own_certificate_makes_it_https(chain, server, owner, tmp_path, blocks):
    chain_file, key_file = certificate(tmp_path)
    server.stop()
    flags = ("--any-repo", "--certificate", str(chain_file), "--key", str(key_file))
    with store_process(server.home, *flags) as secure:
        secure.start()
        context = ssl.create_default_context(cafile=str(chain_file))
        transport = httpx.HTTPTransport(verify=context)
        store = ServedStore(secure.url, owner().sender, http=transport)
        (one,) = sources(1, 3000)

        store.put_all([one])
        store.close()

        assert secure.url.startswith("https://")
        assert one.cid in set(blocks)
        stranger = ServedStore(secure.url, patience=ONCE)
        with pytest.raises(StoreUnavailable, match="certificate"):
            stranger.get(one.cid)
        stranger.close()


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--behind-proxy",), "--any-repo"),
        (("--any-repo",), "--certificate and --key"),
        (
            ("--any-repo", "--certificate", "no.pem", "--key", "no.pem"),
            "cannot be used",
        ),
        (("--any-repo", "--behind-proxy", "--key", "no.pem"), "goes without"),
        (("--any-repo", "--behind-proxy", "--blocks", "https://x.test"), "in a folder"),
        (("--any-repo", "--behind-proxy", "--public-url", "ftp://x"), "not the URL"),
        (("--any-repo", "--behind-proxy", "--quota", "friend=1GB"), "no quota"),
        (("--any-repo", "--behind-proxy", "--quota", "merge=much"), "not a size"),
    ],
)
def test_what_cannot_be_served_is_told_before_anything_listens(
    chain, tmp_path, flags, said
):
    person = chain.person(tmp_path.name)

    ran = person("store", "serve", "--port", 0, *flags)

    assert ran.code == 2
    assert said in ran.err


def test_a_repository_that_it_is_not_for_is_refused(chain, server, tmp_path, owner):
    server.stop()
    net = net_of(chain, server, tmp_path)
    other = net.person("other")
    repo = RepoAddress(
        "localnet", load_wallet(other.home / "wallets" / "default.json").address, "else"
    )
    write_config(other.home / "config.toml", {"network.localnet.store": chain.store})
    other.json("repo", "create", "else", "--bare")
    flags = ("--repo", str(repo), "--behind-proxy", "--quota", "authority=2KiB")
    with store_process(server.home, *flags) as narrow:
        narrow.start()
        wallet = load_wallet(other.home / "wallets" / "default.json")
        mine = find_repo_pda(repo.creator, "else")[0]
        for sender, code in (
            (owner().sender, "repo"),
            (Sender(wallet, None, (mine,)), "quota"),
        ):
            store = ServedStore(narrow.url, sender, patience=ONCE)
            with pytest.raises(UploadRefused) as caught:
                store.put_all(sources(1, 4000))
            store.close()
            assert caught.value.code == code


def test_a_clone_reads_from_stores_that_the_repository_lists(
    chain, server, tmp_path, monkeypatch
):
    chain_file, key_file = certificate(tmp_path)
    context = ssl.create_default_context(cafile=str(chain_file))
    monkeypatch.setattr(
        gateways,
        "gateway_client",
        lambda *_: httpx.Client(verify=context, trust_env=False),
    )
    shared = tmp_path / "shared"
    net = Net(chain.url, chain.genesis_hash, shared.as_uri(), tmp_path)
    owner = net.person("owner")
    flags = ("--any-repo", "--certificate", str(chain_file), "--key", str(key_file))
    with store_process(server.home, *flags) as secure:
        secure.start()
        (owner.folder / "rows.csv").write_text(ROWS)
        owner.json("init", "heart", "--columns-from", "rows.csv")
        recipe = owner.folder / "heart" / "flair.toml"
        listed = f'[recipe]\nstores = ["{secure.url}"]\n'
        recipe.write_text(recipe.read_text().replace("[recipe]\n", listed))
        repo = owner.json("repo", "create", "heart", cwd=recipe.parent)["repo"]
        shutil.copytree(shared, tmp_path / "blocks", dirs_exist_ok=True)
        manifests = {path.stem for path in shared.glob("??/*.cbor")}
        for path in shared.glob("??/*.raw"):
            if b"stores" not in path.read_bytes() and path.stem not in manifests:
                path.unlink()
        site = net.person("site")

        cloned = site("clone", repo, "--trust")
        told = site("config", "get", "workspace.stores", cwd=site.folder / "heart")
        whole = site("clone", repo, "again", "--trust", "--store", server.start().url)
        fsck = site("fsck", "--remote", cwd=site.folder / "heart")

    assert cloned.code == 0, cloned.err
    assert secure.url in told.out
    assert whole.code == 0, whole.err
    assert secure.url in fsck.out


def test_a_site_leaves_listed_stores_that_it_does_not_talk_to():
    rules = SiteRules(hosts=("store.example",))

    assert rules.allowed_urls(("https://store.example", "https://x.test")) == (
        "https://store.example",
    )
    assert SiteRules().allowed_urls(("https://x.test",)) == ("https://x.test",)


@pytest.mark.parametrize(
    "listed",
    [
        ["http://store.example"],
        ["https://who:secret@store.example"],
        ["https://store.example/path"],
        ["file:///etc"],
        ["https://" + "x" * 200],
        [f"https://store{n}.example" for n in range(9)],
        "https://store.example",
    ],
)
def test_a_recipe_lists_a_few_https_hosts_and_nothing_else(listed):
    with pytest.raises((ObjectInvalid, ObjectTooLarge)):
        parse_recipe(f"[recipe]\nstores = {json.dumps(listed)}\n")


def test_a_recipe_keeps_its_stores_when_it_is_written():
    text = '[recipe]\nstores = ["https://store.example:8893"]\n'

    parsed = parse_recipe(text)

    assert parse_recipe(recipe_text(parsed)).stores == ("https://store.example:8893",)
