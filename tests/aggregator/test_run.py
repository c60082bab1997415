"""Rounds from push to settled, by real aggregators on a real localnet."""

import pytest
from aggregator_place import aggregator

from flair_aggregator.settings import Options
from flair_client.chain.accounts import Scope, UpdateStatus
from flair_client.history.verify import verify_branch
from flair_client.porcelain.role import role_grant

WHOLE_ROUND = [
    "round_close",
    "merge_accumulate",
    "merge_propose",
    "merge_finalize",
    "update_settle",
]


def grant_merge(model, name):
    grantee = model.place.context(name).wallet.address
    role_grant(model.owner, model.address, grantee, Scope.MERGE)


def counting(ctx):
    """Counts the questions that a context's RPC is asked."""
    asked = []
    ask = ctx.chain.rpc.ask

    def ask_and_count(method, *args, **kwargs):
        asked.append(method)
        return ask(method, *args, **kwargs)

    ctx.chain.rpc.ask = ask_and_count
    return asked


def test_rounds_of_four_hospitals_are_merged_and_settled(place):
    model = place.publish("four", max_updates=4)
    bot = aggregator(model, "owner", "bot-four")
    asked = counting(bot.ctx)
    assert bot.once() == []
    for number in range(2):
        model.hospitals(0.5, 0.25, -0.5, 0.125)
        asked.clear()
        assert bot.once() == WHOLE_ROUND
        assert len(asked) < 100
        assert model.account().round_index == number + 1
        # The last one settled closes the round's account.
        assert model.owner.chain.rounds(model.branch) == []

    report = verify_branch(model.owner.chain, model.owner.remote, model.repo, "main")
    assert [one.n_updates for one in report.commits] == [0, 4, 4]
    asked.clear()
    assert bot.once() == []
    assert len(asked) == 1, "a quiet look is one question"


def test_round_that_is_not_full_waits_for_its_deadline(place):
    model = place.publish("waits", max_updates=4)
    bot = aggregator(model, "owner", "bot-waits")
    model.push_by_hand("w0")
    model.push_by_hand("w1")

    assert bot.once() == []
    assert bot.said == [
        "waits main: waits: round 0 is open: 2 of 4 updates",
    ]
    assert bot.once() == []
    assert len(bot.said) == 1, "what waits is said once"


def test_sixty_four_updates_fit_their_transactions(place):
    model = place.publish("many", max_updates=64, min_updates=64)
    for number in range(64):
        model.push_by_hand(f"many{number}", number % 5, weight=1 << number % 4)
    bot = aggregator(model, "owner", "bot-many")

    steps = bot.once()

    assert steps.count("merge_accumulate") == 4
    assert steps.count("update_settle") == 11
    assert model.account().head_seq == 2
    report = verify_branch(model.owner.chain, model.owner.remote, model.repo, "main")
    assert report.commits[-1].n_updates == 64


def test_wallet_without_a_right_does_what_anyone_may_and_says_what_waits(place):
    model = place.publish("helper", max_updates=2)
    helper = aggregator(model, "nobody", "bot-nobody")
    model.push_by_hand("h0")
    model.push_by_hand("h1")

    # Adding up would keep the owner from rejecting, so it is left to who may propose.
    assert helper.once() == WHOLE_ROUND[:1]
    assert "may not propose" in helper.said[-1]
    said = len(helper.said)
    assert helper.once() == []
    assert len(helper.said) == said

    owner = aggregator(model, "owner", "bot-owner")
    assert owner.once() == WHOLE_ROUND[1:]
    assert helper.once() == []


def test_merge_role_is_enough(place):
    model = place.publish("role", max_updates=2)
    grant_merge(model, "merger")
    bot = aggregator(model, "merger", "bot-role")
    model.push_by_hand("r0")
    model.push_by_hand("r1")

    assert bot.once() == WHOLE_ROUND
    verify_branch(model.owner.chain, model.owner.remote, model.repo, "main")


def test_contributor_proposes_after_the_deadline(place):
    model = place.publish("late", max_updates=2, round_length="1h")
    model.push_by_hand("late0")
    model.push_by_hand("late1")
    bot = aggregator(model, "late0", "bot-late")
    assert bot.once() == WHOLE_ROUND[:1]
    assert bot.once() == []

    place.wait(3600)
    bot.clock[0] += 3600

    assert bot.once() == WHOLE_ROUND[1:]
    verify_branch(model.owner.chain, model.owner.remote, model.repo, "main")


def test_rounds_are_opened_when_asked(place):
    model = place.publish("opens")
    bot = aggregator(model, "owner", "bot-opens", options=Options(open_rounds=True))

    assert bot.once() == ["round_open"]
    assert bot.once() == []
    assert model.live() is not None


def test_updates_of_an_aborted_round_get_their_rent_back(place):
    model = place.publish("few", max_updates=4, round_length="1h")
    model.push_by_hand("few0")
    (update,) = model.updates()
    assert update.status is UpdateStatus.ACCEPTED
    place.wait(3600)

    assert aggregator(model, "nobody", "bot-few").once() == [
        "round_abort",
        "update_expire",
    ]
    assert model.owner.chain.rounds(model.branch) == []


@pytest.mark.parametrize("n_hidden", [1, 2])
def test_two_that_propose_at_once_agree_on_one(place, n_hidden):
    """The second one has read the chain before the first one proposed."""
    model = place.publish(f"rivals{n_hidden}", max_updates=2)
    grant_merge(model, "rival")
    first = aggregator(model, "owner", f"bot-first{n_hidden}")
    second = aggregator(model, "rival", f"bot-second{n_hidden}")
    model.push_by_hand("v0")
    model.push_by_hand("v1")
    first.stop_before("merge_finalize")
    assert first.once() == WHOLE_ROUND[:3]
    second.blind_to_candidates(n_hidden)

    assert second.once() == [
        "merge_propose",
        "merge_finalize",
        "update_settle",
        "merge_expire",
    ]
    first.go_on()
    assert first.once() == []

    assert model.owner.chain.branch_candidates(model.branch) == []
    assert model.account().head_seq == 2
    verify_branch(model.owner.chain, model.owner.remote, model.repo, "main")
