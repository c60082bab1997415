"""Whoever looks, from wherever and however often: the verdict about a head is one."""

from history_world import OWNER, World
from hypothesis import given, settings
from hypothesis import strategies as st

from flair_client.chain.accounts import MoveKind
from flair_client.encoding import decode_commit
from flair_client.history.evidence import gather_evidence
from flair_client.history.line import LineState, judge_move, keep_verdicts
from flair_client.history.verify import last_valid_head
from flair_client.ids import CommitId
from flair_client.objects import CommitKind, Revert, RevertKind

STEPS = st.lists(
    st.sampled_from(
        ["round", "wrong", "nothing", "revert", "snapshot", "repair", "again"]
    ),
    min_size=1,
    max_size=7,
)


class Play:
    """Does steps, sound or not; those that make no sense are left out."""

    def __init__(self) -> None:
        self.world = World()
        self.world.publish_root()
        self.merges: list[CommitId] = []

    def step(self, name: str, number: int) -> None:
        getattr(self, f"do_{name}")(number)

    def state(self):
        return last_valid_head(
            self.world, self.world.store, self.world.repo_address, "main"
        )

    def head_is_there(self) -> bool:
        world = self.world
        return world.store.has(world.history.branches[world.main].head.cid)

    def do_round(self, number: int) -> None:
        if self.head_is_there():
            self.merges.append(self.world.run_round(number + 1, 2))

    def do_wrong(self, _number: int) -> None:
        if self.head_is_there():
            self.world.begin_round(3)
            weights = self.world.put_manifest(self.world.head()[2])
            merge = self.world.make_merge(weights=weights)
            self.merges.append(self.world.finalize(merge))

    def do_nothing(self, number: int) -> None:
        """A head of which nobody has the block."""
        self.world.advance(MoveKind.SNAPSHOT, CommitId(bytes([100 + number]) * 32))

    def do_revert(self, number: int) -> None:
        """Of some merge, valid or not, reverted before or not."""
        if self.merges and self.head_is_there():
            merge = self.merges[number % len(self.merges)]
            reverts = Revert(kind=RevertKind.MERGE, commit=merge)
            self.world.advance(MoveKind.REVERT, self.world.make_revert(reverts))

    def do_again(self, number: int) -> None:
        """The head is moved back to a commit that was the head before."""
        moves = self.world.history.branches[self.world.main].moves
        heads = [move.new_head for move in moves]
        chosen = heads[number % len(heads)]
        if chosen != heads[-1]:
            self.world.advance(MoveKind.REVERT, chosen)

    def do_snapshot(self, _number: int) -> None:
        valid = self.state().commit_id
        self._put(CommitKind.SNAPSHOT, MoveKind.SNAPSHOT, valid)

    def do_repair(self, _number: int) -> None:
        found = self.state()
        if found.fault is not None:
            last = found.commits[-1].head_seq
            first = next(one for one in found.invalid if one.head_seq > last)
            reverts = Revert(kind=RevertKind.MERGE, commit=first.commit_id)
            self._put(
                CommitKind.REVERT, MoveKind.REVERT, found.commit_id, reverts=reverts
            )

    def _put(self, kind, move, valid, **fields) -> None:
        world = self.world
        commit = decode_commit(world.store.get(valid.cid))
        made = world.put_commit(
            OWNER,
            kind=kind,
            parents=(world.history.branches[world.main].head,),
            weights=commit.weights,
            recipe=world.put_recipe(),
            events=world.event_list(commit),
            **fields,
        )
        world.advance(move, made)


@settings(max_examples=40)
@given(STEPS)
def test_verdicts_agree_from_every_start_and_step_by_step(steps):
    play = Play()
    line = []
    for number, name in enumerate(steps):
        play.step(name, number)
        world = play.world
        evidence = gather_evidence(
            world, world.store, world.repo_address, "main"
        ).evidence
        # As somebody who looks after each step, and keeps what was found.
        keep_verdicts(evidence, line)
        state = line[-1][1] if line else LineState()
        for move in evidence.moves[len(line) :]:
            state = judge_move(evidence, move, state)
            line.append((move, state))

    found = play.state()

    assert state.head.commit_id == found.commit_id
    assert evidence.invalid == found.invalid
    assert bool(state.broken) == (found.fault is not None)
    valid = [one.commit_id for one in found.commits]
    for start in valid:
        for verified in ((), valid):
            again = last_valid_head(
                world,
                world.store,
                world.repo_address,
                "main",
                since=start,
                verified=verified,
            )
            assert again.commit_id == found.commit_id
            assert str(again.fault) == str(found.fault)
