"""A mirror and a store that tests fill by hand, and the site that shows them."""

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from page_rows import (
    NOW,
    ZERO,
    branch_row,
    commit_row,
    cursor_row,
    digest,
    object_row,
    repo_rows,
    round_row,
    update_row,
)
from sqlalchemy import event, update

from flair_client.encoding import (
    encode_commit,
    encode_delta,
    encode_manifest,
    encode_recipe,
)
from flair_client.ids import CODEC_DAG_CBOR, CODEC_RAW, Address, CommitId
from flair_client.objects import CommitKind, Recipe, RecipeFile
from flair_client.store.memory import MemoryStore
from flair_client.testing_objects import (
    make_address,
    make_commit,
    make_delta,
    make_manifest,
    sign,
)
from flair_indexer.db import open_database
from flair_indexer.objects import _commit_row
from flair_indexer.schema import migrate
from flair_indexer.tables import METADATA
from flair_indexer.write import put_rows
from flair_web.app import create_app
from flair_web.settings import WebSettings

sys.path.append(str(Path(__file__).parents[1] / "indexer"))

from indexer_world import copy_tables

CARD = "---\nlicense: apache-2.0\n---\n# Heart\n\nA **small** model.\n"


@dataclass
class Model:
    """A repository with a branch, as rows and as blocks."""

    world: "PageWorld"
    repo: dict
    branch: dict
    recipe: object

    @property
    def path(self):
        return f"/{Address(self.repo['creator'])}/{self.repo['name']}"

    @property
    def address(self):
        return Address(self.repo["repo"])

    @property
    def head(self):
        return CommitId(self.branch["head_commit"])

    def set_branch(self, **changes):
        self.branch |= changes
        self.world.put("branches", self.branch)

    def weights(self, value, name="layer.weight"):
        """A model of one tensor; its manifest is in the store."""
        values = np.full((3, 4), value, dtype=np.float32)
        manifest = make_manifest(self.world.store, {name: values})
        return self.world.store.put(CODEC_DAG_CBOR, encode_manifest(manifest))

    def commit(self, kind=CommitKind.SNAPSHOT, *, value=1.0, moves=True, **fields):
        """A signed commit in the store, to which the branch's head moves."""
        seq = self.branch["head_seq"] + 1
        is_root = kind is CommitKind.ROOT
        known = {"repo": self.address, "recipe": self.recipe, "message": "a commit"}
        if kind is not CommitKind.UPDATE:
            known["weights"] = self.weights(value)
        if not is_root:
            known["parents"] = (self.head,)
        made = sign(make_commit(kind, **known | fields))
        block = encode_commit(made)
        commit_id = CommitId(self.world.store.put(CODEC_DAG_CBOR, block).digest)
        self.world.put("commit_objects", _commit_row(commit_id.raw, made, len(block)))
        if moves:
            self.move(commit_id, seq, str(kind), round_index=made.round_index)
        return commit_id

    def move(self, commit_id, seq=None, kind="snapshot", **changes):
        """The head moves to a commit, whether or not there is a block of it."""
        seq = seq or self.branch["head_seq"] + 1
        row = commit_row(
            self.branch,
            seq,
            commit_id.raw,
            kind=kind,
            old_head=self.branch["head_commit"],
            event_seq=seq + 2,
            actor=make_address(1).raw,
            **changes,
        )
        self.world.put("commits", row)
        self.set_branch(head_commit=commit_id.raw, head_seq=seq)
        self.verdict("valid", commit_id.raw)

    def verdict(self, state, valid=None, fault=None):
        """What the check of the head said."""
        row = {
            "branch": self.branch["branch"],
            "repo": self.repo["repo"],
            "head_commit": self.branch["head_commit"],
            "head_seq": self.branch["head_seq"],
            "state": state,
            "valid_head": valid,
            "fault": fault,
        }
        self.world.put("head_checks", row)

    def open_round(self, index=1, **changes):
        self.set_branch(round_index=index, is_round_live=True)
        self.world.put("rounds", round_row(self.branch, index, **changes))

    def push(self, n, index=1, **fields):
        """An update of the n-th test key."""
        store = self.world.store
        delta = make_delta(store, {"layer.weight": np.full((3, 4), n, np.int16)})
        cid = store.put(CODEC_DAG_CBOR, encode_delta(delta))
        changes = {key: fields.pop(key) for key in ("state",) if key in fields}
        known = {
            "parents": (self.head,),
            "delta": cid,
            "round_index": index,
            "repo": self.address,
            "author": make_address(n),
            "message": f"update of {n}",
        }
        made = sign(make_commit(CommitKind.UPDATE, **known | fields), n)
        block = encode_commit(made)
        commit_id = CommitId(store.put(CODEC_DAG_CBOR, block).digest)
        self.world.put("commit_objects", _commit_row(commit_id.raw, made, len(block)))
        row = update_row(
            self.branch, index, make_address(n).raw, commit_id.raw, **changes
        )
        self.world.put("updates", row)
        return commit_id


class PageWorld:
    """A site over a database and a store that a test fills."""

    def __init__(self, folder, url=None, **settings):
        if url is None:
            url = f"sqlite:///{folder / 'index.sqlite'}"
            copy_tables(url)
        self.database = open_database(url)
        migrate(self.database)
        self.store = MemoryStore()
        self.seconds = NOW
        known = {"rpc_url": "http://127.0.0.1:9", "rate": "", "keep_s": 0}
        self.app = create_app(
            WebSettings("", "", **known | settings),
            database=self.database,
            store=self.store,
            now=lambda: self.seconds,
        )
        self.client = self.app.test_client()
        self.put("cursor", cursor_row())

    def close(self):
        self.database.close()

    def put(self, table, *rows):
        with self.database.unit() as connection:
            put_rows(connection, METADATA.tables[table], rows)

    def set_all(self, table, **values):
        with self.database.unit() as connection:
            connection.execute(update(METADATA.tables[table]).values(**values))

    def model(self, name="heart", card=CARD, owner=1, **changes):
        """A repository with a branch and nothing in it."""
        rows = repo_rows(name, make_address(owner).raw, **changes)
        for table, row in rows.items():
            self.put(table, row)
        branch = branch_row(rows["repos"]["repo"])
        self.put("branches", branch)
        files = {"CARD.md": card, "flair.toml": "x"} if card else {"flair.toml": "x"}
        recipe = Recipe(
            files=tuple(
                RecipeFile(
                    path=path,
                    size=len(text.encode()),
                    cid=self.store.put(CODEC_RAW, text.encode()),
                )
                for path, text in sorted(files.items())
            )
        )
        cid = self.store.put(CODEC_DAG_CBOR, encode_recipe(recipe))
        return Model(self, rows["repos"], branch, cid)

    def page(self, path, status=200):
        """The text of a page, which answers as it must."""
        answer = self.client.get(path)
        assert answer.status_code == status, (path, answer.status_code, answer.text)
        return answer.text

    def json(self, path, status=200):
        answer = self.client.get(f"/api/v1{path}")
        assert answer.status_code == status, (path, answer.text)
        return answer.json["data"] if status == 200 else answer.json

    def statements(self, path):
        """How many statements a page takes; a begin reads nothing."""
        counted = []

        def count(_connection, _cursor, statement, *_rest):
            if not statement.startswith("BEGIN"):
                counted.append(statement)

        event.listen(self.database.engine, "before_cursor_execute", count)
        try:
            self.page(path)
        finally:
            event.remove(self.database.engine, "before_cursor_execute", count)
        return len(counted)


__all__ = ["NOW", "ZERO", "Model", "PageWorld", "digest", "object_row"]
