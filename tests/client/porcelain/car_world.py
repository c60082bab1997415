"""A short history in a store, made of real objects."""

import numpy as np

from flair_client.encoding import (
    commit_id,
    encode_commit,
    encode_delta,
    encode_event_list,
    encode_manifest,
    encode_recipe,
)
from flair_client.ids import CODEC_DAG_CBOR, CODEC_RAW
from flair_client.objects import (
    CommitKind,
    EventList,
    Recipe,
    RecipeFile,
    StrategyRecord,
)
from flair_client.store import MemoryStore
from flair_client.testing_objects import (
    make_commit,
    make_delta,
    make_manifest,
    sign,
)


class Line:
    """Root, updates and merges; each has blocks of its own."""

    def __init__(self, store=None):
        self.store = MemoryStore() if store is None else store
        content = b"[train]\n"
        file = RecipeFile(
            path="flair.toml", size=len(content), cid=self.store.put(CODEC_RAW, content)
        )
        self.recipe = self.put(encode_recipe(Recipe(files=(file,))))
        self.n = 0

    def put(self, block):
        return self.store.put(CODEC_DAG_CBOR, block)

    def weights(self, size=4):
        self.n += 1
        values = np.random.default_rng(self.n).random(size, np.float32)
        return self.put(encode_manifest(make_manifest(self.store, {"w": values})))

    def events(self):
        self.n += 1
        event = self.n.to_bytes(200, "little")
        return self.put(encode_event_list(EventList(first_seq=self.n, events=(event,))))

    def commit(self, kind, **fields):
        block = encode_commit(sign(make_commit(kind, **fields)))
        self.put(block)
        return commit_id(block)

    def root(self, size=4):
        return self.commit(
            CommitKind.ROOT,
            weights=self.weights(size),
            recipe=self.recipe,
            events=self.events(),
        )

    def update(self, base):
        self.n += 1
        delta = make_delta(self.store, {"w": np.full(4, self.n, np.int16)}, base=base)
        return self.commit(
            CommitKind.UPDATE, parents=(base,), delta=self.put(encode_delta(delta))
        )

    def merge(self, head, n_updates=2):
        updates = sorted(self.update(head) for _ in range(n_updates))
        return self.commit(
            CommitKind.MERGE,
            parents=(head, *updates),
            weights=self.weights(),
            strategy=StrategyRecord(
                id="fedavg", params={"eta_q24": 1 << 24}, weights=(1,) * n_updates
            ),
            events=self.events(),
        )
