"""Contributors that work alone beside a real aggregator, and one that vanishes."""

from dataclasses import replace

from aggregator_place import aggregator

from flair_aggregator.settings import Options
from flair_client.chain.accounts import RoundState
from flair_client.porcelain.contribute import (
    ContributePlan,
    Ending,
    Listener,
    contribute,
)
from flair_client.porcelain.pushed import PushOutcome

MERGE = ["round_close", "merge_accumulate", "merge_propose", "merge_finalize"]


class Site:
    """A contributor that does what can be done whenever it is asked."""

    def __init__(self, model, name, **plan):
        hospital = model.hospital(name)
        place = model.place
        # As on a real chain, whose clock and the machine's are about the same.
        ahead = place.ahead_ms
        now = hospital.ctx.now
        self.ctx = replace(hospital.ctx, now=lambda: now() + ahead[0] // 1000)
        self.workspace = hospital.workspace
        self.plan = ContributePlan(data=place.folder / "rows.csv", once=True, **plan)
        self.said, self.over = [], []

    def __call__(self):
        listener = Listener(
            note=self.said.append, warn=self.said.append, round_over=self.over.append
        )
        return contribute(self.ctx, self.workspace, self.plan, listener)

    @property
    def outcomes(self):
        return [(one.round_index, one.outcome) for one in self.over]


def sites_of(model, *names, **plan):
    return [Site(model, f"{model.address.name}-{name}", **plan) for name in names]


def bot_of(model):
    name = f"bot-{model.address.name}"
    return aggregator(model, "owner", name, options=Options(open_rounds=True))


def wait(bot, seconds):
    """Time passes, for the chain and for the aggregator."""
    bot.model.place.wait(seconds)
    bot.clock[0] += seconds


def test_who_vanishes_before_the_push_is_left_behind_at_the_deadline(place):
    model = place.publish("gone", statistics=False, max_updates=3, round_length="1h")
    bot = bot_of(model)
    north, south, _gone = sites = sites_of(model, "north", "south", "east")
    assert bot.once() == ["round_open"]

    north(), south()
    assert len(model.updates()) == 2, north.said
    assert bot.once() == []
    wait(bot, 3600)
    assert bot.once() == [*MERGE, "update_settle", "round_open"]
    for site in sites:
        site()

    assert north.outcomes == south.outcomes == [(1, PushOutcome.MERGED)]
    # Back again, the third one takes part as if nothing had been.
    assert len(model.updates()) == 3
    assert bot.once()[:4] == MERGE
    for site in sites:
        assert site().ending is Ending.WAITING
    assert north.outcomes[-1] == _gone.outcomes[-1] == (2, PushOutcome.MERGED)


def test_a_round_that_too_few_reach_is_aborted_and_the_next_one_goes_on(place):
    model = place.publish("few2", statistics=False, max_updates=2, round_length="1h")
    bot = bot_of(model)
    north, south = sites_of(model, "north", "south")
    bot.once()

    north()
    wait(bot, 3600)
    assert bot.once() == ["round_abort", "update_expire", "round_open"]
    north()
    assert north.outcomes == [(1, PushOutcome.ENDED)]
    south()
    assert bot.once()[:4] == MERGE
    north(), south()

    assert north.outcomes[1:] == south.outcomes == [(2, PushOutcome.MERGED)]
    assert north.workspace.head() == south.workspace.head()


def test_values_that_never_come_end_the_round_and_not_the_others(place):
    model = place.publish(
        "mute",
        statistics=False,
        max_updates=2,
        round_length="1h",
        merge_grace="1h",
        reveal_after_close=True,
    )
    bot = bot_of(model)
    north, mute = sites_of(model, "north", "mute")
    bot.once()
    north(), mute()
    bot.once()
    assert model.live().state is RoundState.CLOSED
    # The other one is never heard of again in this round.
    north()
    bot.once()
    assert model.live().state is RoundState.CLOSED
    wait(bot, 3 * 3600)
    for _ in range(4):
        bot.once()
    north()

    assert north.outcomes == [(1, PushOutcome.ENDED)]
    assert model.account().round_index == 2
    mute()
    assert mute.outcomes == [(1, PushOutcome.ENDED)]
