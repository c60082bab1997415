"""Everything in `deploy/` is started as it stands, used, backed up and restored."""

import json
import os
import re
import shutil
import stat
import subprocess
from pathlib import Path

import httpx
import pytest
import yaml
from deployed import (
    DEPLOY,
    Site,
    compose_commands,
    free_port,
    get,
    is_good,
    read_env,
    rpc_answers,
    unit_commands,
)
from own_postgres import own_postgres, why_not
from work_world import Net, shifted

from flair_client.store.ipfs_daemon import find_kubo

SERVICES = ("rpc", "kubo", "store", "indexer", "aggregator", "web")


def test_units_and_compose_start_the_same_commands():
    units, compose = unit_commands(), compose_commands()
    units.pop("backup")

    assert units.keys() == compose.keys() == set(SERVICES)
    assert units == compose


def test_every_variable_of_a_command_is_in_the_environment():
    known = read_env()

    for command in unit_commands().values():
        for name in re.findall(r"\$\{(\w+)\}", command):
            assert name in known, command
    assert not any("password" in one.lower() for one in known.values())


def test_no_secret_lies_beside_what_is_deployed():
    file = yaml.safe_load((DEPLOY / "compose.yaml").read_text())

    for name, secret in file["secrets"].items():
        assert secret["file"].startswith("./secrets/"), name
    assert "secrets/" in (DEPLOY / ".gitignore").read_text()
    for name, service in file["services"].items():
        for published in service.get("ports", ()):
            assert published.startswith("127.0.0.1:"), name


def test_units_are_units(tmp_path):
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not installed")
    for path in (DEPLOY / "systemd").iterdir():
        text = path.read_text()
        # Of programs it wants to know that they are there.
        text = re.sub(
            r"/\S+/(flair|ipfs|backup)( |$)", r"/bin/true\2", text, flags=re.MULTILINE
        )
        (tmp_path / path.name).write_text(text)

    done = subprocess.run(
        [program, "verify", *map(str, tmp_path.iterdir())],
        capture_output=True,
        text=True,
        check=False,
    )

    complaints = [line for line in done.stderr.splitlines() if "flair" in line]
    assert complaints == []


def make_kubo(folder):
    """A repository of a node that listens at loopback alone; gives its RPC's URL."""
    program = find_kubo(os.environ.get("FLAIR_KUBO"))
    if program is None:
        pytest.skip("no ipfs on PATH or in ~/.cache/flair/bin: scripts/install-kubo")
    env = {**os.environ, "IPFS_PATH": str(folder)}

    def ipfs(*words):
        subprocess.run([program, *words], env=env, check=True, capture_output=True)

    port = free_port()
    ipfs("init", "--profile", "test")
    ipfs("config", "Addresses.API", f"/ip4/127.0.0.1/tcp/{port}")
    return program.parent, f"kubo://127.0.0.1:{port}"


@pytest.fixture
def real(tmp_path, monkeypatch):
    """Kubo and PostgreSQL, where they are here."""
    if why_not() is not None:
        pytest.skip(why_not())
    folder, blocks = make_kubo(tmp_path / "ipfs")
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    with own_postgres() as server:
        yield {
            "SITE_BLOCKS": blocks,
            "IPFS_PATH": str(tmp_path / "ipfs"),
            "SITE_DATABASE": server.new_database(),
            "ANOTHER_DATABASE": server.new_database(),
        }


@pytest.fixture
def embedded(tmp_path):
    """A folder and a file."""
    return {
        "SITE_BLOCKS": (tmp_path / "one" / "home" / "localnet" / "blocks").as_uri(),
        "SITE_DATABASE": f"sqlite:///{tmp_path / 'mirror.sqlite'}",
        "ANOTHER_DATABASE": f"sqlite:///{tmp_path / 'again.sqlite'}",
    }


@pytest.mark.parametrize(
    ("commands", "backing"),
    [(unit_commands, "real"), (compose_commands, "embedded")],
)
def test_all_services_serve_and_come_back_from_a_backup(
    tmp_path, request, commands, backing
):
    changes = request.getfixturevalue(backing)
    site = Site(tmp_path / "one", commands(), **changes)
    try:
        played(site, tmp_path, backing)
        made = site.script("backup", tmp_path / "backups")
        site.stop("web", "aggregator", "indexer", "store")
        digest = rebuilt(site)
        site.stop("rpc")
        restored(site, made, digest, tmp_path)
    finally:
        site.close()


def rebuilt(site):
    """Drops what the database says and makes it anew; gives the digest of its rows."""
    words = ("indexer", "rebuild", "--database", site.env["SITE_DATABASE"], "--json")
    found = json.loads(site.flair(*words))["result"]
    assert found["identical"]
    assert found["n_events"] > 5
    return found["digest_after"]


def played(site, tmp_path, backing):
    """A repository on these services, one update merged, and the site shows it."""
    secrets = tmp_path / "secrets"
    secrets.mkdir(mode=0o700)
    (secrets / "web.key").write_bytes(os.urandom(48))
    (secrets / "web.key").chmod(0o600)
    site.env |= {
        "SITE_STORE_URL": site.url("SITE_STORE_PORT"),
        "SITE_WEB_URL": site.url("SITE_WEB_PORT"),
        "SITE_WALLET": str(secrets / "aggregator.json"),
        "SITE_WEB_SECRET": str(secrets / "web.key"),
        "PGPASSFILE": str(secrets / "pgpass"),
        "SITE_ENV": str(DEPLOY / "flair.env"),
    }
    site.start("rpc")
    site.wait("rpc", lambda: rpc_answers(site))
    if backing == "real":
        site.start("kubo")
        api = site.env["SITE_BLOCKS"].replace("kubo://", "http://")
        version = f"{api}/api/v0/version"
        site.wait("kubo", lambda: httpx.post(version, trust_env=False).is_success)
        site.flair("config", "set", "network.localnet.store", site.env["SITE_BLOCKS"])
    shown = json.loads(site.flair("network", "show", "localnet", "--json"))["result"]
    net = Net(
        shown["rpc_url"], shown["genesis_hash"], site.env["SITE_STORE_URL"], tmp_path
    )
    owner = net.person("owner")
    creator = owner.json("wallet", "show")["address"]
    site.env["SITE_REPO"] = f"flair://localnet/{creator}/heart"
    shutil.copy(owner.home / "wallets" / "default.json", secrets / "aggregator.json")
    site.start("store")
    site.wait("store", lambda: is_good(site.url("SITE_STORE_PORT", "/healthz")))
    owner.json("init", "heart", "--columns-from", rows(owner))
    flags = ("--invited", "--min-updates", 1, "--max-updates", 1, "--challenge", "0s")
    owner.json("repo", "create", "heart", *flags, cwd=owner.folder / "heart")
    for name in ("indexer", "aggregator", "web"):
        site.start(name)
    site.wait("indexer", lambda: is_good(site.url("SITE_METRICS_PORT", "/metrics")))
    site.wait("web", lambda: is_good(site.url("SITE_WEB_PORT", "/")))
    health = site.url("SITE_HEALTH_PORT", "/healthz")
    site.wait("aggregator", lambda: get(health).json()["branches"])
    contribute(net, owner, site.env["SITE_REPO"])
    site.wait(
        "aggregator",
        lambda: get(health).json()["branches"]["heart@main"]["round"] == 1,
        "the round was merged",
    )
    page = site.url("SITE_WEB_PORT", "/")
    site.wait("web", lambda: "heart" in get(page).text, "the site shows it")


def rows(owner):
    path = owner.folder / "rows.csv"
    path.write_text(
        "a,b,target\n" + "\n".join(f"{n},{n % 7},{n % 2}" for n in range(40))
    )
    return path


def contribute(net, owner, repo):
    hospital = net.person("hospital")
    wallet = hospital.json("wallet", "show")["address"]
    owner.json("role", "grant", wallet, "contribute", "--repo", repo)
    hospital.json("clone", repo, "--trust")
    folder = hospital.folder / "heart"
    new = shifted(folder / "weights.safetensors", hospital.folder / "new.safetensors")
    commit = ("commit", "-m", "one", "--weights", new, "--num-samples", 40)
    hospital.json(*commit, cwd=folder)
    assert hospital.json("push", cwd=folder)["sent"]


def restored(site, made, digest, tmp_path):
    """On a machine with nothing but the backup the same database comes out."""
    secret = tmp_path / "secrets"
    shutil.move(secret, tmp_path / "lost")
    wallet = site.env["SITE_WALLET"]
    database = site.env["ANOTHER_DATABASE"]
    site.env |= {
        "FLAIR_HOME": str(tmp_path / "two" / "home"),
        "SITE_DATABASE": database,
    }

    said = site.script("restore", made)

    assert f"restored {wallet}" in said
    assert stat.S_IMODE(Path(wallet).stat().st_mode) == 0o600
    site.start("rpc")
    site.wait("rpc", lambda: rpc_answers(site))
    site.flair("indexer", "backfill", "--database", database)
    assert rebuilt(site) == digest
    site.flair("verify", site.env["SITE_REPO"])


def test_the_unit_of_a_hospitals_machine_is_one(tmp_path):
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not installed")
    page = (DEPLOY.parent / "docs" / "unattended.md").read_text()
    unit = re.search(r"```ini\n(.*?)```", page, re.DOTALL).group(1)
    path = tmp_path / "flair-contribute.service"
    path.write_text(unit.replace("/opt/flair/bin/flair", "/bin/true"))

    done = subprocess.run(
        [program, "verify", str(path)], capture_output=True, text=True, check=False
    )

    assert "flair" not in done.stderr
