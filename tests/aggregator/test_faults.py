"""What aggregators do when updates, heads, store or RPC are not as they should be."""

from dataclasses import replace

import numpy as np
import pytest
from aggregator_place import aggregator, make_update
from test_run import WHOLE_ROUND, grant_merge

from flair_aggregator.settings import Options
from flair_client.chain import instructions
from flair_client.chain.accounts import (
    MoveKind,
    UpdateAccount,
    UpdateStatus,
    account_size,
)
from flair_client.encoding import (
    decode_commit,
    encode_commit,
    encode_event_list,
    sign_commit,
)
from flair_client.errors import (
    AccountInvalid,
    AccountMissing,
    RpcUnavailable,
    StoreFull,
    StoreUnavailable,
)
from flair_client.history.events import events_for_commit
from flair_client.history.evidence import gather_repo
from flair_client.history.verify import verify_branch
from flair_client.ids import CODEC_DAG_CBOR, CommitId, Digest
from flair_client.objects import Commit, CommitKind
from flair_client.porcelain.update import RejectReason
from flair_client.store import MemoryStore

BOGUS_COMMIT = CommitId(bytes([7]) * 32)


def lies(model):
    """Each lie by name, and the public reason that it gets."""
    _, _, manifest = model.head()
    wrong_shape = {one.name: np.zeros((3, 3), np.int16) for one in manifest.tensors}
    huge = {one.name: np.full(one.shape, 32_767, np.int16) for one in manifest.tensors}
    return {
        "digest": ({"payload_digest": Digest(bytes([9]) * 32)}, RejectReason.BASE),
        "shape": ({"ints": wrong_shape}, RejectReason.SHAPE),
        "norm": ({"delta_fields": {"norm_sq": 1}}, RejectReason.MALFORMED),
        "long": ({"ints": huge}, RejectReason.NORM),
        "base": ({"parents": (BOGUS_COMMIT,)}, RejectReason.BASE),
        "scale": ({"delta_terms": {"scale_exp": -30}}, RejectReason.MALFORMED),
    }


@pytest.mark.parametrize("lie", ["digest", "shape", "norm", "long", "base", "scale"])
def test_unsound_update_is_told_by_a_bot_and_rejected_by_the_owner(place, lie):
    model = place.publish(f"lie-{lie}", max_updates=3, norm_bound=1.0)
    grant_merge(model, "bot")
    fields, reason = lies(model)[lie]
    model.push_by_hand("liar", **fields)
    liar = str(place.context("liar").wallet.address)
    model.push_by_hand("honest0", 1)
    model.push_by_hand("honest1", 1)

    bot = aggregator(model, "bot", f"bot-{lie}")
    assert bot.once() == WHOLE_ROUND[:1]
    assert sum(liar in text for text in bot.said) == 1, bot.said

    owner = aggregator(model, "owner", f"owner-{lie}")
    assert owner.once() == ["update_reject", *WHOLE_ROUND[1:]]
    rejected = [text for text in owner.said if "rejected the update" in text]
    assert len(rejected) == 1
    assert liar in rejected[0]
    events = verify_branch(model.owner.chain, model.owner.remote, model.repo, "main")
    assert events.commits[-1].n_updates == 2
    assert reason_on_chain(model) == {liar: reason}


def reason_on_chain(model):
    """Reasons of all rejections by the repository's events."""
    found = gather_repo(model.owner.chain, model.owner.remote, model.repo)
    return {
        str(update.contributor): update.reject_reason
        for record in found.history.rounds.values()
        for update in record.updates.values()
        if update.reject_reason
    }


def test_outlier_is_told_and_only_rejected_when_asked(place):
    for name, options, n_merged in (
        ("tells", Options(), 5),
        ("rejects", Options(reject_flagged=True), 4),
    ):
        model = place.publish(f"outlier-{name}", max_updates=5, norm_bound=1e6)
        for number in range(4):
            model.push_by_hand(f"near{number}", 2 + number)
        model.push_by_hand("far", 300)
        bot = aggregator(model, "owner", f"outlier-{name}", options=options)

        bot.once()

        far = str(place.context("far").wallet.address)
        told = [text for text in bot.said if "far above the median" in text]
        assert told
        assert all(far in text for text in told)
        report = verify_branch(
            model.owner.chain, model.owner.remote, model.repo, "main"
        )
        assert report.commits[-1].n_updates == n_merged
        expected = {far: RejectReason.OUTLIER} if options.reject_flagged else {}
        assert reason_on_chain(model) == expected


def test_copy_of_another_update_is_told_and_only_rejected_when_asked(place):
    for name, options, n_merged in (
        ("tells", Options(), 3),
        ("rejects", Options(reject_flagged=True), 2),
    ):
        model = place.publish(f"copy-{name}", max_updates=3, norm_bound=1e6)
        # Pushed by step: the second pusher of 3 has copied, not the first.
        for who, step in (("first", 3), ("other", 4), ("copier", 3)):
            model.push_by_hand(who, step)
        bot = aggregator(model, "owner", f"copy-{name}", options=options)

        bot.once()

        first, copier = (
            str(place.context(who).wallet.address) for who in ("first", "copier")
        )
        told = {text for text in bot.said if "the very same as those of" in text}
        assert told
        assert all(f"{copier}: " in text and first in text for text in told)
        report = verify_branch(
            model.owner.chain, model.owner.remote, model.repo, "main"
        )
        assert report.commits[-1].n_updates == n_merged
        expected = {copier: RejectReason.COPY} if options.reject_flagged else {}
        assert reason_on_chain(model) == expected


def test_update_that_harms_held_out_rows_is_told_and_rejected_when_asked(place):
    model = place.publish("score", max_updates=3, norm_bound=1e6, statistics=False)
    rows = place.folder / "held-out.csv"
    # The class follows from `a`: the first two know that, the third turns it round.
    lines = [f"{n},{n * 2 % 7},{int(n > 19)}" for n in range(40)]
    rows.write_text("a,b,target\n" + "\n".join(lines))
    for name, slope in (("s0", 28_000), ("s1", 30_000), ("harm", -30_000)):
        ints = {
            one.name: np.zeros(one.shape, np.int16) for one in model.head()[2].tensors
        }
        ints["linear.weight"][0] = slope
        model.push_by_hand(name, ints=ints)
    harm = str(place.context("harm").wallet.address)
    grant_merge(model, "bot")

    bot = aggregator(model, "bot", "bot-score", options=Options(held_out=rows))
    bot.stop_before("merge_accumulate")
    assert bot.once() == WHOLE_ROUND[:1]
    (told,) = [text for text in bot.said if "held-out" in text]
    assert harm in told
    assert told.count("update of") == 1

    options = Options(held_out=rows, reject_flagged=True)
    owner = aggregator(model, "owner", "owner-score", options=options)
    assert owner.once() == ["update_reject", *WHOLE_ROUND[1:]]
    assert reason_on_chain(model) == {harm: RejectReason.SCORE}


def test_held_out_rows_that_cannot_be_used_are_told_and_nothing_is_merged(place):
    model = place.publish("no-rows", max_updates=2)
    rows = place.folder / "no-rows.csv"
    rows.write_text("a,target\n1,0\n")
    model.push_by_hand("n0")
    model.push_by_hand("n1")
    options = Options(held_out=rows)
    bot = aggregator(model, "owner", "bot-no-rows", options=options, patient=True)

    assert bot.once() == []
    assert "column 'b'" in bot.said[-1]
    assert model.account().head_seq == 1

    rows.write_text("a,b,target\n1,2,0\n2,3,1\n")
    bot.clock[0] += 60
    assert bot.once() == WHOLE_ROUND


def test_missing_blocks_are_waited_for(place):
    model = place.publish("missing", max_updates=2)
    kept_back = MemoryStore()
    model.open_round()
    made = make_update(
        model, place.context("slow"), 3, model.account().round_index, store=kept_back
    )
    model.push_by_hand("slow", told=made)
    model.push_by_hand("fast", 1)
    bot = aggregator(model, "owner", "bot-missing")

    assert bot.once() == WHOLE_ROUND[:1]
    assert "is missing" in bot.said[-1]
    n_said = len(bot.said)
    assert bot.once() == []
    assert len(bot.said) == n_said, "it is said once"

    for cid in kept_back:
        model.owner.remote.put(cid.codec, kept_back.get(cid))
    assert bot.once() == WHOLE_ROUND[1:]


def test_blocks_that_never_come_are_rejected_by_the_owner_in_time(place):
    model = place.publish("never", max_updates=3, merge_grace="1h")
    model.open_round()
    made = make_update(
        model,
        place.context("never"),
        3,
        model.account().round_index,
        store=MemoryStore(),
    )
    model.push_by_hand("never", told=made)
    model.push_by_hand("fast0", 1)
    model.push_by_hand("fast1", 1)
    bot = aggregator(model, "owner", "bot-never")
    assert bot.once() == WHOLE_ROUND[:1]

    place.wait(1800)
    bot.clock[0] += 1800

    assert bot.once() == ["update_reject", *WHOLE_ROUND[1:]]
    never = str(place.context("never").wallet.address)
    assert reason_on_chain(model) == {never: RejectReason.MISSING}


def test_bot_aborts_when_the_grace_ends(place):
    model = place.publish("grace", max_updates=2, merge_grace="1h")
    model.push_by_hand("liar", parents=(BOGUS_COMMIT,))
    model.push_by_hand("honest0", 1)
    bot = aggregator(model, "nobody", "bot-grace")
    assert bot.once() == WHOLE_ROUND[:1]

    place.wait(3600)
    bot.clock[0] += 3600

    assert bot.once() == ["round_abort", "update_expire"]
    assert model.owner.chain.rounds(model.branch) == []


def advance(model, commit_id):
    """Moves the head by the owner's own hand, whatever the commit is."""
    account = model.account()
    model.owner.send(
        [
            instructions.branch_advance(
                actor=model.owner.wallet.address,
                repo=model.repo,
                branch=model.branch,
                kind=MoveKind.SNAPSHOT,
                expected_head=account.head_commit,
                expected_seq=account.head_seq,
                new_head=commit_id,
            )
        ]
    )


def test_nothing_is_built_upon_an_invalid_head(place):
    model = place.publish("invalid", max_updates=2)
    bot = aggregator(model, "owner", "bot-invalid", patient=True)
    before = model.account().head_commit
    assert bot.once() == []
    advance(model, BOGUS_COMMIT)
    model.open_round()

    for _ in range(3):
        bot.clock[0] += 60
        assert bot.once() == []

    told = [text for text in bot.said if "head is invalid" in text]
    assert len(told) == 1
    assert before.short in told[0]
    assert "missing" in told[0]


def snapshot_block(model):
    """A sound snapshot of the head's own weights, not in the store yet."""
    owner, head = model.owner, model.account().head_commit
    store = owner.remote
    parent = decode_commit(store.get(head.cid))
    listed = events_for_commit(owner.chain, store, model.repo, parent)
    commit = Commit(
        kind=CommitKind.SNAPSHOT,
        repo=model.repo,
        branch="main",
        parents=(head,),
        author=owner.wallet.address,
        message="a snapshot",
        time=1,
        weights=parent.weights,
        events=store.put(CODEC_DAG_CBOR, encode_event_list(listed)),
    )
    return encode_commit(sign_commit(commit, owner.wallet.address, owner.wallet.sign))


def test_head_whose_block_comes_late_is_gone_on_from(place):
    model = place.publish("late-head", max_updates=2)
    bot = aggregator(model, "owner", "bot-late-head", patient=True)
    assert bot.once() == []
    block = snapshot_block(model)
    kept_back = MemoryStore()
    advance(model, CommitId(kept_back.put(CODEC_DAG_CBOR, block).digest))
    assert bot.once() == []
    assert "head is invalid" in bot.said[-1]

    model.owner.remote.put(CODEC_DAG_CBOR, block)
    model.push_by_hand("l0")
    model.push_by_hand("l1")
    bot.clock[0] += 60

    assert bot.once() == WHOLE_ROUND
    verify_branch(model.owner.chain, model.owner.remote, model.repo, "main")


def test_rpc_that_is_down_is_asked_less_and_less_often(place):
    model = place.publish("down", max_updates=2)
    bot = aggregator(model, "owner", "bot-down", patient=True)
    model.push_by_hand("d0")
    model.push_by_hand("d1")
    asked_at = []
    rpc = bot.ctx.chain.rpc
    ask = rpc.ask

    def refuse(method, *args, **kwargs):
        asked_at.append(bot.clock[0])
        raise RpcUnavailable(f"{method}: nobody there")

    rpc.ask = refuse
    for _ in range(200):
        bot.clock[0] += 1
        assert bot.once() == []
    # Pauses of 2, 4, 8, … seconds, then one a minute.
    assert asked_at == [1, 3, 7, 15, 31, 63, 123, 183]
    assert len([text for text in bot.said if "nobody there" in text]) == 1

    rpc.ask = ask
    bot.clock[0] += 60
    assert bot.once() == WHOLE_ROUND


def test_rpc_that_is_down_ends_a_single_look(place):
    model = place.publish("down-once")
    bot = aggregator(model, "owner", "bot-down-once")

    def refuse(method, *args, **kwargs):
        raise RpcUnavailable(f"{method}: nobody there")

    bot.ctx.chain.rpc.ask = refuse
    with pytest.raises(RpcUnavailable):
        bot.once()


def test_rpc_that_leaves_an_update_out_merges_nothing(place):
    model = place.publish("hidden", max_updates=2)
    bot = aggregator(model, "owner", "bot-hidden")
    model.push_by_hand("h0")
    model.push_by_hand("h1")
    rpc = bot.ctx.chain.rpc
    find = rpc.get_program_accounts

    def leave_one_out(program_id, *, size, filters):
        found = find(program_id, size=size, filters=filters)
        is_updates = size == account_size(UpdateAccount)
        return found[1:] if is_updates else found

    rpc.get_program_accounts = leave_one_out
    with pytest.raises(AccountInvalid, match="counts 2 updates, the RPC gave 1"):
        bot.once()

    rpc.get_program_accounts = find
    assert bot.once() == WHOLE_ROUND


@pytest.mark.parametrize("error", [StoreFull("no room"), StoreUnavailable("away")])
def test_store_that_takes_nothing_loses_nothing(place, error):
    name = type(error).__name__.lower()
    model = place.publish(name, max_updates=2)
    bot = aggregator(model, "owner", f"bot-{name}", patient=True)
    model.push_by_hand("s0")
    model.push_by_hand("s1")
    remote = bot.ctx.remote

    class Full:
        def __getattr__(self, attribute):
            return getattr(remote, attribute)

        def __iter__(self):
            return iter(remote)

        def put(self, _codec, _block):
            raise error

    full = replace(bot.ctx, remote=Full())
    world = bot.worker.world
    bot.worker.world = replace(world, ctx=full)
    # Closing is taken by the chain; its event does not reach the store any more.
    bot.once()
    bot.clock[0] += 60
    bot.once()
    assert any(str(error) in text for text in bot.said), bot.said
    assert model.account().head_seq == 1

    bot.worker.world = world
    bot.worker._workers.clear()
    bot.clock[0] += 120
    bot.once()
    assert model.account().head_seq == 2
    verify_branch(model.owner.chain, model.owner.remote, model.repo, "main")


def test_repository_that_is_not_there_ends_at_once(place):
    model = place.publish("there")
    address = replace(model.address, name="not-there")
    lost = aggregator(replace(model, address=address), "owner", "lost", patient=True)

    with pytest.raises(AccountMissing):
        lost.once()


def test_wallet_without_money_is_told_and_the_step_tried_again_later(place):
    model = place.publish("poor", max_updates=2)
    model.push_by_hand("p0")
    model.push_by_hand("p1")
    place.context("poor", funds=0)
    bot = aggregator(model, "poor", "bot-poor")

    assert bot.once() == []
    assert any("refused" in text for text in bot.said), bot.said
    assert len(bot.voice.steps) == 1
    assert bot.once() == []
    assert not bot.voice.steps, "not again at once"

    place.fund("poor")
    bot.clock[0] += 31
    assert bot.once() == WHOLE_ROUND[:1]
    assert model.updates()[0].status is UpdateStatus.ACCEPTED
