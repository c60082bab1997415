"""Which strategies a policy can name, with which parameters, for how few updates.

The tables are worked by hand from docs/strategies.md. The last tests compare program
and client, which must take and refuse the same policies.
"""

import random
from types import SimpleNamespace
from typing import Final

import pytest
from program_harness.acts import config_create, repo_create
from program_harness.refusal import error_of, name_of
from program_harness.values import PARAMS
from program_harness.world import Place, make_place
from solders.transaction_metadata import FailedTransactionMetadata

from flair_client.errors import FlairError
from flair_client.strategies import STRATEGIES, choice_of

ONE: Final = 1 << 48
LONG: Final = (1 << 63) - 1
HUGE: Final = (1 << 64) - 1

# Parameters at their limits, each with the fewest updates.
WITHIN: Final = [
    *((1, [], 1), (2, [], 1), (3, [0], 1), (3, [ONE - 1], 1)),
    *((4, [0, 0, 1], 1), (4, [ONE - 1, ONE - 1, 16 * ONE], 1)),
    *((5, [0, 0, 1], 1), (5, [ONE - 1, ONE - 1, 16 * ONE], 1)),
    *((6, [0, 1], 1), (6, [ONE - 1, 16 * ONE], 1)),
    *((7, [0], 1), (7, [1], 3), (7, [31], 63)),
    *((8, [0], 1), (8, [1], 3), (8, [31], 63)),
    *((9, [0], 3), (9, [1], 5), (9, [30], 63)),
    *((10, [0, 0], 3), (10, [0, 1], 3), (10, [0, 2], 4), (10, [0, 62], 64)),
    *((10, [1, 0], 5), (10, [1, 2], 5), (10, [1, 3], 6), (10, [30, 0], 63)),
    *((10, [30, 31], 63), (10, [30, 32], 64)),
    *((11, [0, 1], 1), (11, [1, 256], 3), (11, [31, 32], 63)),
    *((12, [0, 1], 1), (12, [1, LONG], 3), (12, [31, ONE], 63)),
    *((13, [1, 0], 1), (13, [LONG, 1_000_000], 1)),
]
# No round has enough updates for these.
NEVER: Final = [
    *((7, [32]), (8, [32]), (9, [31]), (9, [32]), (11, [32, 1]), (12, [32, 1])),
    *((10, [31, 0]), (10, [32, 0]), (10, [0, 63]), (10, [0, 64]), (10, [30, 33])),
]
BEYOND: Final = [
    *((0, []), (14, []), (255, []), (256, []), (257, []), (65_535, [])),
    *((1, [1]), (1, [0, 0, 0, 0, 0, 0, 0, 1]), (2, [1]), (2, [0, 1])),
    *((3, [ONE]), (3, [HUGE]), (3, [0, 1])),
    *((4, [ONE, 0, 1]), (4, [0, ONE, 1]), (4, [0, 0, 0]), (4, [0, 0, 16 * ONE + 1])),
    *((4, [0, 0, HUGE]), (4, [0, 0, 1, 1])),
    *((5, [ONE, 0, 1]), (5, [0, ONE, 1]), (5, [0, 0, 0]), (5, [0, 0, 16 * ONE + 1])),
    *((5, [0, 0, 1, 1]),),
    *((6, [ONE, 1]), (6, [0, 0]), (6, [0, 16 * ONE + 1]), (6, [0, 1, 1])),
    *((7, [33]), (7, [HUGE]), (7, [1, 1]), (8, [33]), (8, [1, 1])),
    *((9, [33]), (9, [1, 1]), (9, [HUGE]), (9, [1 << 63])),
    *((10, [33, 0]), (10, [0, 65]), (10, [0, HUGE]), (10, [HUGE, HUGE])),
    *((10, [1, 1, 1]),),
    *((11, [33, 1]), (11, [1, 0]), (11, [1, 257]), (11, [1, 1, 1])),
    *((12, [33, 1]), (12, [1, 0]), (12, [1, LONG + 1]), (12, [1, HUGE])),
    *((12, [1, 1, 1]),),
    *((13, [0]), (13, [LONG + 1]), (13, [1, 1_000_001]), (13, [1, 0, 1])),
]


@pytest.fixture(scope="module")
def place() -> Place:
    made = make_place()
    made.chain.send(config_create(made.chain), repo_create(made.chain))
    return made


def params(number: int, values: list[int], min_updates: int) -> dict[str, object]:
    packed = b"".join(value.to_bytes(8, "little") for value in values)
    return {
        "strategy": number,
        "strategy_params": packed.ljust(64, b"\0"),
        "min_updates": min_updates,
        "max_updates": 64,
    }


@pytest.mark.parametrize(("number", "values", "fewest"), WITHIN)
def test_takes_every_strategy_at_its_limits(place, number, values, fewest):
    wanted = params(number, values, fewest)
    call = place.policy_create(**wanted)

    place.chain.send(call)

    kept = place.chain.read(call.accounts["policy"]).params
    assert {name: getattr(kept, name) for name in wanted} == wanted


@pytest.mark.parametrize(("number", "values", "fewest"), WITHIN)
def test_refuses_one_update_less(place, number, values, fewest):
    # Without any updates no policy is within its limits.
    error = "StrategyBound" if fewest > 1 else "PolicyOutOfRange"

    place.chain.expect_refusal(
        place.policy_create(**params(number, values, fewest - 1)), error
    )


@pytest.mark.parametrize(("number", "values"), NEVER)
def test_refuses_what_no_round_is_large_enough_for(place, number, values):
    place.chain.expect_refusal(
        place.policy_create(**params(number, values, 64)), "StrategyBound"
    )


@pytest.mark.parametrize(("number", "values"), BEYOND)
def test_refuses_unknown_strategies_and_parameters_that_cannot_be(
    place, number, values
):
    place.chain.expect_refusal(
        place.policy_create(**params(number, values, 64)), "PolicyOutOfRange"
    )


@pytest.mark.parametrize("number", range(1, 14))
@pytest.mark.parametrize("at", [24, 25, 31, 32, 40, 63])
def test_refuses_bytes_where_no_parameter_stands(place, number, at):
    packed = bytearray(params(number, [1, 1, 1], 5)["strategy_params"])
    used = {1: 0, 2: 0, 3: 8, 6: 16, 7: 8, 8: 8, 9: 8, 4: 24, 5: 24}.get(number, 16)
    packed[used:] = bytes(64 - used)
    good = params(number, [], 5) | {"strategy_params": bytes(packed)}
    packed[at] = 1
    bad = good | {"strategy_params": bytes(packed)}

    place.chain.send(place.policy_create(**good))
    place.chain.expect_refusal(place.policy_create(**bad), "PolicyOutOfRange")


def refusal_of(place: Place, chosen: dict[str, object]) -> str | None:
    call = place.policy_create(**chosen)
    result = place.chain.svm.simulate_transaction(place.chain.transaction(call))
    if isinstance(result, FailedTransactionMetadata):
        return name_of(error_of(result))
    return None


def client_refuses(chosen: dict[str, object]) -> bool:
    try:
        choice = choice_of(SimpleNamespace(**{**PARAMS, **chosen}))
        choice.strategy.require(chosen["min_updates"], choice.params)
    except FlairError:
        return True
    return False


def test_program_and_client_know_the_same_strategies():
    assert [one.number for one in STRATEGIES.values()] == list(range(1, 14))


def test_program_and_client_refuse_the_same_policies(place):
    # Fixed seeds: the same policies in every run, most of them near a limit.
    draw = random.Random(7)
    edges = [0, 1, 2, 3, 5, 30, 31, 32, 33, 62, 64, 65, 256, 257, 10**6, 10**6 + 1]
    edges += [ONE - 1, ONE, 16 * ONE, 16 * ONE + 1, LONG, LONG + 1, HUGE]
    taken = 0
    for _ in range(1500):
        # Small numbers are often within their limits.
        some = draw.choice([edges[:4], edges])
        values = [draw.choice(some) for _ in range(draw.choice([0, 1, 1, 2, 2, 3, 4]))]
        number = draw.randrange(15)
        chosen = params(number, values, draw.choice([1, 2, 3, 5, 6, 34, 63, 64]))

        refused = refusal_of(place, chosen)

        assert (refused is not None) == client_refuses(chosen), chosen
        assert refused in {None, "PolicyOutOfRange", "StrategyBound"}
        taken += refused is None
    assert taken > 100
