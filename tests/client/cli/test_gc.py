"""`flair gc`: what goes, what stays, beside others, and killed on the way."""

import contextlib
import json
import os
import shutil
import signal
import time
from dataclasses import replace

import pytest
import safetensors.numpy
from killing import KillServer, points_of
from work_world import running_net

from flair_client.encoding import block_cid, encode_commit
from flair_client.errors import UsageError
from flair_client.history.graph import read_commit
from flair_client.ids import CODEC_DAG_CBOR, CODEC_RAW, Address, Cid, CommitId
from flair_client.opening import open_context
from flair_client.porcelain.gc import gc
from flair_client.porcelain.push import push
from flair_client.porcelain.transfer import blocks_of_commit
from flair_client.settings import Flags, load_settings
from flair_client.store import DiskStore, MemoryStore
from flair_client.store.base import open_store
from flair_client.store.sweep import sweeping
from flair_client.workspace import Workspace

MONTH_S = 30 * 86_400


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    with running_net(tmp_path_factory.mktemp("net")) as made:
        yield made


@pytest.fixture(scope="module")
def owner(net):
    return net.person("owner")


@pytest.fixture(scope="module")
def site(net):
    return net.person("site")


@pytest.fixture(scope="module")
def model(net, owner):
    return net.publish(owner, "model")


@pytest.fixture(scope="module")
def drafts(site, model):
    """A clone in which an update was made three times; gives it and the commits."""
    site.json("clone", model, "drafts", "--trust")
    folder = site.folder / "drafts"
    return folder, [draft(site, folder, by) for by in (0.25, 0.5, 0.75)]


def draft(site, folder, by):
    """Makes an update that moves every value by this much."""
    tensors = safetensors.numpy.load_file(folder / "weights.safetensors")
    moved = {name: one + one.dtype.type(by) for name, one in tensors.items()}
    safetensors.numpy.save_file(moved, folder / "new.safetensors")
    words = ("commit", "-m", f"add {by}", "--weights", "new.safetensors")
    made = site.json(*words, "--num-samples", 9, cwd=folder)["commit"]
    return CommitId.parse(made)


@pytest.fixture
def clone(drafts, tmp_path):
    """A copy of that clone, all its blocks a month old."""
    copy = shutil.copytree(drafts[0], tmp_path / "copy")
    age(DiskStore(copy / ".flair" / "objects"))
    return copy


@pytest.fixture
def store(net, tmp_path):
    """The shared folder, all its blocks a month old; afterwards as it was."""
    shared = open_store(net.store)
    kept = shutil.copytree(shared.path, tmp_path / "store-kept")
    age(shared)
    yield shared
    shutil.rmtree(shared.path)
    shutil.copytree(kept, shared.path)


def age(store, seconds=MONTH_S):
    then = time.time() - seconds
    for cid in store:
        os.utime(store.block_path(cid), (then, then))


def cids(folder):
    return set(DiskStore(folder / ".flair" / "objects"))


def own_cids(folder, *commits):
    """The blocks that these commits do not share with their base.

    Args:
        folder: a workspace that has them all.
        commits: of it.
    """
    cache = DiskStore(folder / ".flair" / "objects")
    return {one.cid for id_ in commits for one in blocks_of_commit(cache, id_)}


def send(folder, commit_id, store):
    """Puts a commit's blocks into the shared folder, as a push that ended early."""
    cache = DiskStore(folder / ".flair" / "objects")
    sent = [one.cid for one in blocks_of_commit(cache, commit_id)]
    for cid in sent:
        store.put(cid.codec, cache.get(cid))
    age(store)
    return sent


@pytest.fixture
def context():
    """Opens the world as somebody; closed afterwards."""
    opened = []

    def make(person, **changes):
        settings = load_settings(Flags(home=person.home))
        opened.append(open_context(settings, network="localnet", signer=True))
        return replace(opened[-1], **changes)

    yield make
    for ctx in opened:
        ctx.chain.close()


class Watcher:
    """A progress that calls a function whenever a task moves."""

    def __init__(self, label, act):
        self.label, self.act, self.n_calls = label, act, 0

    def task(self, label, total, unit):
        self.total, self.unit = total, unit
        return _Task(self if label == self.label else None)


class _Task(contextlib.AbstractContextManager):
    def __init__(self, watcher):
        self.watcher = watcher
        self.advance(0)

    def __exit__(self, *error):
        pass

    def advance(self, _):
        if self.watcher is not None:
            self.watcher.n_calls += 1
            self.watcher.act()


def test_drafts_go_and_all_that_is_named_stays(site, drafts, clone):
    folder, (first, second, pending) = drafts
    expected = own_cids(folder, first, second)
    before = cids(clone)

    found = site.json("gc", cwd=clone)

    assert {Cid.parse(one["cid"]) for one in found["removed"]} == expected
    assert cids(clone) == before - expected
    assert found["n_bytes"] == sum(one["size"] for one in found["removed"]) > 0
    assert {one["what"] for one in found["removed"]} >= {
        f"update {first.short}: add 0.25",
        f"update {second.short}: add 0.5",
        "object",
        "block",
    }
    assert (found["n_kept"], found["n_young"]) == (len(before - expected), 0)
    assert site("fsck", cwd=clone).code == 0
    assert site.json("show", pending, cwd=clone)["commit"] == str(pending)
    assert site.json("push", "--dry-run", cwd=clone)["commit"] == str(pending)
    assert site.json("gc", cwd=clone)["removed"] == []


def test_a_dry_run_tells_the_same_and_removes_nothing(site, clone):
    before = cids(clone)

    told = site.json("gc", "--dry-run", cwd=clone)
    said = site("gc", "-n", cwd=clone)
    untouched = cids(clone)
    done = site.json("gc", cwd=clone)

    assert untouched == before
    assert told["removed"] == done["removed"]
    assert (told["dry_run"], done["dry_run"]) == (True, False)
    assert (
        f"would go  {len(told['removed'])} blocks, {told['n_bytes']} bytes" in said.out
    )
    assert "add 0.25" in said.out
    assert all(len(line) <= 80 for line in said.out.splitlines())


def test_what_is_young_stays_until_it_is_told_otherwise(site, drafts, clone):
    folder, (first, second, _) = drafts
    expected = own_cids(folder, first, second)
    age(DiskStore(clone / ".flair" / "objects"), 13 * 86_400)

    kept = site.json("gc", cwd=clone)
    said = site("gc", cwd=clone)
    gone = site.json("gc", "--prune-before", 12.5, cwd=clone)

    assert (kept["removed"], kept["n_young"]) == ([], len(expected))
    assert f"too young  {len(expected)} blocks" in said.out
    assert len(gone["removed"]) == len(expected)


def test_days_of_zero_are_at_once(site, drafts, tmp_path):
    copy = shutil.copytree(drafts[0], tmp_path / "copy")
    for cid in (objects := DiskStore(copy / ".flair" / "objects")):
        os.utime(objects.block_path(cid))

    assert site.json("gc", cwd=copy)["removed"] == []
    assert site.json("gc", "--prune-before", 0, cwd=copy)["removed"] != []


def test_a_tag_keeps_a_commit_with_its_parts(site, drafts, clone):
    folder, (first, second, _) = drafts
    site.json("tag", "draft", first, cwd=clone)

    site.json("gc", cwd=clone)

    assert own_cids(folder, first) <= cids(clone)
    assert second.cid not in cids(clone)
    assert site.json("show", "draft", cwd=clone)["delta"]["l2"] > 0
    site.json("tag", "-d", "draft", cwd=clone)
    age(DiskStore(clone / ".flair" / "objects"))
    site.json("gc", cwd=clone)
    assert first.cid not in cids(clone)


@pytest.mark.parametrize("name", ["pushed", "held", "revert", "bisect"])
def test_whatever_a_marker_names_stays(site, drafts, clone, name):
    """Also one that this version does not know."""
    folder, (first, second, _) = drafts
    text = str(first) if name != "bisect" else str(first.cid)
    table = {"commits": [text]} if name == "held" else {"commit": text}
    Workspace(clone).set_marker(name, table)

    site.json("gc", cwd=clone)

    assert own_cids(folder, first) <= cids(clone)
    assert second.cid not in cids(clone)


def test_what_a_new_block_refers_to_stays(site, drafts, clone):
    folder, (first, second, _) = drafts
    path = DiskStore(clone / ".flair" / "objects").block_path(first.cid)
    os.utime(path)

    found = site.json("gc", cwd=clone)

    assert own_cids(folder, first) <= cids(clone)
    assert found["n_young"] == len(own_cids(folder, first))
    assert second.cid not in cids(clone)


def test_events_and_what_they_name_stay(site, drafts, clone):
    folder, (first, second, _) = drafts
    objects = DiskStore(clone / ".flair" / "objects")
    event = b"flair-event-v1\n" + bytes(77) + first.raw + bytes(5)
    cid = objects.put(CODEC_RAW, event)
    age(objects)

    site.json("gc", cwd=clone)

    assert {cid, *own_cids(folder, first)} <= cids(clone)
    assert second.cid not in cids(clone)


def damage_state(clone, _):
    (clone / ".flair" / "state" / "tags.toml").write_text("v1 = 3\n")


def lose_an_object(clone, pending):
    objects = DiskStore(clone / ".flair" / "objects")
    objects.delete(pending.cid)


def break_an_object(clone, pending):
    path = DiskStore(clone / ".flair" / "objects").block_path(pending.cid)
    path.write_bytes(b"x" * path.stat().st_size)


@pytest.mark.parametrize("harm", [damage_state, lose_an_object, break_an_object])
def test_nothing_goes_where_something_is_not_known(site, drafts, clone, harm):
    _, (*_, pending) = drafts
    harm(clone, pending)
    before = cids(clone) - {pending.cid}

    refused = site("gc", cwd=clone)

    assert refused.code == 5
    assert "error: nothing was removed: " in refused.err
    assert "flair fsck --repair" in refused.err
    assert cids(clone) - {pending.cid} == before


def test_force_goes_on_over_a_missing_object(site, drafts, clone):
    _, (first, _, pending) = drafts
    lose_an_object(clone, pending)

    assert site.json("gc", "--force", cwd=clone)["removed"] != []
    assert first.cid not in cids(clone)


def test_an_object_that_the_shared_folder_has_is_no_hole(site, clone, model):
    root = CommitId.parse(site.json("log", cwd=clone)["commits"][-1]["commit"])
    objects = DiskStore(clone / ".flair" / "objects")
    manifest = read_commit(objects, root).weights
    tensors = own_cids(clone, root) - {root.cid, manifest}
    objects.delete(manifest)

    assert site("gc", cwd=clone).code == 0
    assert tensors <= cids(clone)
    assert manifest not in cids(clone)


def test_an_unfinished_clone_is_left_alone(site, clone):
    Workspace(clone).set_marker("clone", {"repo": "x"})

    refused = site("gc", cwd=clone)

    assert (refused.code, "the clone is not finished" in refused.err) == (2, True)


def test_beside_another_command_and_another_gc(site, clone):
    workspace = Workspace(clone)
    with workspace.lock():
        locked = site("gc", cwd=clone)
    with sweeping(workspace.cache()):
        second = site("gc", cwd=clone)

    assert "another process" in locked.err
    assert "another flair gc" in second.err
    assert (locked.code, second.code) == (1, 1)


def test_without_a_workspace_it_says_what_can_be_cleared(site, tmp_path, context):
    assert site("gc", cwd=tmp_path).code == 2
    with pytest.raises(UsageError, match="there is no workspace here"):
        gc(context(site), None)


def test_the_shared_folder_keeps_all_that_the_chain_names(  # noqa: PLR0917 - fixtures
    site, owner, drafts, clone, store, model, tmp_path
):
    folder, (first, _, pending) = drafts
    site.json("push", cwd=clone)
    send(clone, first, store)
    before = set(store)
    expected = own_cids(folder, first) - own_cids(folder, pending)

    found = site.json("gc", "--store", cwd=clone)

    assert {Cid.parse(one["cid"]) for one in found["removed"]} == expected
    assert set(store) == before - expected
    assert found["folder"] == str(store.path)
    assert own_cids(folder, pending) <= set(store)
    assert owner("verify", model).code == 0
    assert owner("clone", model, tmp_path / "new", "--trust").code == 0
    assert owner.json("gc", "--store", "--prune-before", 1)["removed"] == []
    site.json("update", "withdraw", cwd=clone)


def test_an_update_of_an_open_round_stays_in_anybodys_workspace(
    site, owner, clone, model, tmp_path
):
    """Its event is not there: the round's account names it."""
    other = owner.json("clone", model, tmp_path / "other", "--trust")["folder"]
    pending = draft(site, clone, 0.1)
    parts = own_cids(clone, pending)
    site.json("push", cwd=clone)
    looked_at = DiskStore(Workspace(tmp_path / "other").cache().path)
    mine = DiskStore(clone / ".flair" / "objects")
    for cid in parts:
        looked_at.put(cid.codec, mine.get(cid))
    age(looked_at)

    owner.json("gc", cwd=other)
    during = set(looked_at)
    site.json("update", "withdraw", cwd=clone)
    age(looked_at)
    owner.json("gc", cwd=other)

    assert parts <= during
    assert not parts & set(looked_at)


def test_a_head_that_the_shared_folder_lacks_is_told(  # noqa: PLR0917 - fixtures
    owner, drafts, clone, store, model, tmp_path
):
    _, (first, *_) = drafts
    send(clone, first, store)
    head = CommitId.parse(owner.json("log", model)["commits"][0]["commit"])
    store.delete(head.cid)

    refused = owner("gc", "--store", cwd=tmp_path)

    assert refused.code == 5
    assert f"block {head.cid} (head of branch main) is missing" in refused.err
    assert first.cid in set(store)


def test_an_update_that_was_withdrawn_is_history_and_stays(
    site, drafts, clone, store, model
):
    folder, (*_, pending) = drafts
    site.json("push", cwd=clone)
    site.json("update", "withdraw", cwd=clone)
    age(store)

    site.json("gc", "--store", cwd=clone)

    assert own_cids(folder, pending) <= set(store)


def test_the_shared_folder_is_cleared_from_anywhere(
    site, drafts, clone, store, tmp_path
):
    _, (first, *_) = drafts
    send(clone, first, store)

    told = site.json("gc", "--store", "-n", cwd=tmp_path)
    assert first.cid in set(store)
    done = site.json("gc", "--store", cwd=tmp_path)

    assert told["removed"] == done["removed"] != []
    assert first.cid not in set(store)


def test_commits_of_another_networks_repositories_stay(site, drafts, clone, store):
    _, (first, *_) = drafts
    send(clone, first, store)
    commit = read_commit(store, first)
    foreign = replace(commit, repo=Address(bytes(range(32))))
    block = encode_commit(foreign)
    cid = store.put(CODEC_DAG_CBOR, block)
    age(store)

    found = site.json("gc", "--store", cwd=clone)
    said = site("gc", "--store", cwd=clone)

    assert {cid, commit.delta} <= set(store)
    assert first.cid not in set(store)
    assert found["n_foreign"] == 1
    assert "foreign  1 commits of another network, all kept" in said.out


@pytest.mark.parametrize("days", ["0", "0.99"])
def test_the_shared_folder_wants_a_day(site, clone, store, days):
    refused = site("gc", "--store", "--prune-before", days, cwd=clone)

    assert (refused.code, "give at least 1 day" in refused.err) == (2, True)
    assert site("gc", "--prune-before", "-1", cwd=clone).code == 2


def test_a_store_that_is_no_folder_is_refused(site, context):
    with pytest.raises(UsageError, match="no folder"):
        gc(context(site, remote=MemoryStore()), None, shared=True)


def test_nothing_goes_while_the_chain_does_not_answer(site, drafts, clone):
    before = cids(clone)
    config = site.home / "config.toml"
    kept = config.read_text()
    config.write_text(kept.replace("http://127.0.0.1:", "http://127.0.0.1:1"))
    try:
        refused = site("gc", cwd=clone)
    finally:
        config.write_text(kept)

    assert refused.code in (3, 4), refused.err
    assert cids(clone) == before


def test_gc_at_every_moment_of_a_push(  # noqa: PLR0917 - fixtures
    site, owner, clone, store, model, context
):
    """Most of its blocks lie there since a push that was cut off a month ago."""
    pending = draft(site, clone, 0.15)
    parts = own_cids(clone, pending)
    sent = send(clone, pending, store)
    store.delete(pending.cid)
    cleaner = context(owner)
    removed = []

    def clear():
        # From then on that the first block, which is old, was asked for.
        if watcher.n_calls > 1:
            removed.extend(gc(cleaner, None, shared=True, days=1).removed)

    watcher = Watcher("send", clear)

    push(context(site, progress=watcher), Workspace(clone))

    assert watcher.n_calls > 3
    assert parts <= set(store)
    assert sent[1] in [one.cid for one in removed]
    assert sent[0] not in [one.cid for one in removed]
    updates = owner.json("update", "list", "--repo", model)["updates"]
    assert str(pending) in [one["commit_id"] for one in updates]
    assert parts <= set(store)
    site.json("update", "withdraw", cwd=clone)


def test_what_somebody_relies_on_meanwhile_stays_with_its_parts(
    site, drafts, clone, store, context
):
    """An aggregator finds the merge that it made a month ago, and proposes it."""
    folder, (first, second, _) = drafts
    send(clone, first, store)
    send(clone, second, store)
    watcher = Watcher("remove", lambda: store.has(first.cid))

    found = gc(context(site, progress=watcher), None, shared=True)

    assert own_cids(folder, first) <= set(store)
    assert second.cid not in set(store)
    assert second.cid in {one.cid for one in found.removed}


def test_what_comes_while_it_looks_stays(site, drafts, clone, store, context):
    folder, (first, *_) = drafts
    send(clone, first, store)
    store.delete(first.cid)
    commit = encode_commit(read_commit(DiskStore(clone / ".flair/objects"), first))
    done = []

    def arrive():
        if not done:
            done.append(store.put(CODEC_DAG_CBOR, commit))

    watcher = Watcher("look", lambda: None)
    ctx = context(site, progress=watcher)
    calls = iter([*range(10**6)])
    watcher.act = lambda: arrive() if next(calls) > 5 else None

    gc(ctx, None, shared=True)

    assert done == [first.cid]
    assert own_cids(folder, first) <= set(store)


def test_killed_anywhere_nothing_is_lost_and_the_next_run_ends_it(
    site, drafts, clone, tmp_path
):
    folder, (first, second, pending) = drafts
    expected = own_cids(folder, first, second)
    named = cids(clone) - expected
    with contextlib.closing(KillServer()) as child:
        whole = shutil.copytree(clone, tmp_path / "whole")
        assert child(site, "gc", cwd=whole).code == 0
        for point in points_of(child.points):
            place = shutil.copytree(clone, tmp_path / f"at-{point}")
            killed = child(site, "gc", cwd=place, point=point)
            left = cids(place)
            again = child(site, "gc", cwd=place)

            assert killed.code == -signal.SIGKILL, point
            assert named <= left, point
            # What refers to others went before them.
            for commit in (first, second):
                assert commit.cid not in left or own_cids(folder, commit) <= left
            assert again.code == 0, (point, again.err)
            assert cids(place) == named, point
            pushed = child(site, "push", "--dry-run", "--json", cwd=place)
            assert json.loads(pushed.out)["result"]["commit"] == str(pending), point


def test_the_shared_folder_after_a_kill_anywhere(site, owner, drafts, clone, store):
    _, (first, second, _) = drafts
    send(clone, first, store)
    send(clone, second, store)
    full = shutil.copytree(store.path, clone.parent / "full")
    words = ("gc", "--store")
    with contextlib.closing(KillServer()) as child:
        assert child(site, *words, cwd=clone.parent).code == 0
        named = set(store)
        for point in points_of(child.points):
            shutil.rmtree(store.path)
            shutil.copytree(full, store.path)
            killed = child(site, *words, cwd=clone.parent, point=point)
            left = set(store)
            again = child(site, *words, cwd=clone.parent)

            assert killed.code == -signal.SIGKILL, point
            assert named <= left, point
            assert again.code == 0, (point, again.err)
            assert set(store) == named, point
    assert owner("verify", site.json("status", cwd=clone)["repo"]).code == 0


def test_junk_among_the_blocks_is_only_junk(site, clone):
    objects = DiskStore(clone / ".flair" / "objects")
    junk = [
        objects.put(CODEC_DAG_CBOR, content)
        for content in (b"no object", b"\xa0", b"\x81" * 200 + b"\x00")
    ]
    (objects.path / "ab").mkdir(exist_ok=True)
    (objects.path / "ab" / "notes.txt").write_text("mine")
    age(objects)

    gone = {Cid.parse(one["cid"]) for one in site.json("gc", cwd=clone)["removed"]}

    assert set(junk) <= gone
    assert (objects.path / "ab" / "notes.txt").exists()
    assert block_cid(CODEC_DAG_CBOR, b"\xa0") in gone
