"""Builds the history that reports are made of; nothing here depends on luck."""

from history_world import BOT, OWNER, SITES, World

from flair_client.chain import events as ev
from flair_client.chain.accounts import MoveKind
from flair_client.encoding import encode_manifest
from flair_client.ids import CODEC_DAG_CBOR
from flair_client.objects import (
    CommitKind,
    Privacy,
    Revert,
    RevertKind,
    StrategyRecord,
    Training,
)
from flair_client.porcelain.metrics_file import Evaluated
from flair_client.porcelain.reading import Reading
from flair_client.porcelain.refs import Tag

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>&amp;"


class Told:
    """Rounds of three sites; the second round's last site is rejected."""

    def __init__(self, n_rounds: int = 3) -> None:
        self.world = world = World()
        self.root = world.publish_root()
        self.merges = [self.round(n) for n in range(1, n_rounds + 1)]
        self.revert = world.advance(
            MoveKind.REVERT,
            world.make_revert(
                Revert(kind=RevertKind.MERGE, commit=self.merges[-1]),
                message=f"undo {HOSTILE}",
            ),
        )
        self.models = self.merge_of_models()
        self.last = self.round(n_rounds + 2)

    def round(self, n: int) -> object:
        """A merge; site 3 pushes the other way."""
        world = self.world
        world.now += 3600
        world.open_round()
        for place, step in enumerate((3, 5, -4)):
            self.push(n, place, step)
        if n == 2:
            world.emit(
                ev.UpdateRejected,
                OWNER,
                branch=world.main,
                round_index=world.live.round_index,
                contributor=SITES[2].address,
                commit_id=self.pushed,
                reason=1,
            )
        world.close_round()
        world.accumulate()
        return world.finalize(world.make_merge(BOT, message=f"merge round {n}"))

    def push(self, n: int, place: int, step: int) -> None:
        """An update with what its site states."""
        self.pushed = self.world.push(
            SITES[place],
            step + n,
            weight=1 << place,
            message=f"site {place} {HOSTILE}",
            metrics={
                "auc": 0.7 + 0.02 * n - 0.05 * place,
                "log_loss": 0.6 - 0.03 * n + 0.04 * place,
            },
            training=Training(
                samples_bucket=64 << place, epochs=2, framework=f"numpy {HOSTILE}"[:60]
            ),
            privacy=Privacy(
                mode="public",
                clip=1.0,
                noise_multiplier=1.1,
                epsilon=0.5 * (place + 1) if place < 2 else None,
                delta=1e-5 if place < 2 else None,
                accountant="rdp" if place < 2 else None,
            ),
        )

    def merge_of_models(self) -> object:
        """A branch beside the line, and its model merged into the head's."""
        world = self.world
        world.now += 600
        head, commit, manifest = world.head()
        weights = world.store.put(CODEC_DAG_CBOR, encode_manifest(manifest))
        self.side = world.put_commit(
            OWNER,
            kind=CommitKind.SNAPSHOT,
            branch="trial",
            parents=(self.merges[0],),
            weights=weights,
            events=commit.events,
            message="a trial",
        )
        world.now += 600
        record = world.history.branches[world.main]
        merged = world.put_commit(
            OWNER,
            kind=CommitKind.MERGE,
            parents=(head, self.side),
            weights=weights,
            events=world.event_list(commit),
            strategy=StrategyRecord(id="linear", params={}, weights=(10**9, 10**9)),
            message="both",
        )
        world.emit(
            ev.BranchMerged,
            OWNER,
            branch=world.main,
            old_head=head,
            new_head=merged,
            new_seq=len(record.moves) + 1,
            ended_round=False,
            round_index=0,
            n_merged=1,
            merged=self.side.raw.ljust(512, b"\0"),
        )
        return merged

    def reading(self, **changes: object) -> Reading:
        """Where all of it lies, as a clone has it."""
        head = self.last
        values = {
            "store": self.world.store,
            "heads": {"main": head, "trial": self.side},
            "current": head,
            "current_branch": "main",
            "verified": frozenset((self.root, *self.merges)),
            "tags": {"v1": Tag("v1", self.merges[0], "", 1)},
        }
        return Reading(**(values | changes))

    def evaluations(self) -> list[Evaluated]:
        """Of the owner's own rows."""
        line = (self.root, *self.merges, self.revert, self.last)
        return [
            Evaluated(
                one, "main", 99, {"auc": 0.6 + 0.03 * n, "f1": 0.5 - 0.01 * n}, "icu"
            )
            for n, one in enumerate(line)
        ]
