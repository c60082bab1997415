"""Aggregators as processes: killed between any two steps, and several at once."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from aggregator_place import aggregator
from test_run import WHOLE_ROUND, grant_merge

from flair_aggregator.merge import make_merge
from flair_client.history.evidence import gather_repo
from flair_client.history.naming_store import NamingStore
from flair_client.history.replay import replay
from flair_client.history.verify import verify_branch
from flair_client.history.verify_move import Evidence, trusted_commit

CHILD = Path(__file__).with_name("aggregator_child.py")
# After each note and transaction of the five steps of a round, and around the note
# of the merge commit.
N_PLACES = 3 * len(WHOLE_ROUND) + 2


@pytest.fixture(scope="module")
def nursery():
    """A process that starts aggregators as processes, and waits for them."""
    command = [sys.executable, "-W", "error", str(CHILD)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.stdin.close()


def run_children(nursery, *runs):
    """Runs aggregators at the same time; gives exit code and text of each."""
    nursery.stdin.write(json.dumps(runs) + "\n")
    nursery.stdin.flush()
    ended = json.loads(nursery.stdout.readline())
    return [(one["code"], one["text"]) for one in ended]


def child(model, who: str, outbox: str, kill_at: int = 0) -> dict[str, object]:
    place = model.place
    place.context(who)
    return {
        "url": place.url,
        "genesis_hash": place.genesis_hash,
        "store": place.profile.store_url,
        "wallet": str(place.wallet(who)),
        "repo": str(model.address),
        "outbox": str(place.folder / outbox / "outbox.sqlite"),
        "kill_at": kill_at,
    }


def push_round(model) -> None:
    model.push_by_hand("kill0", 3, weight=2)
    model.push_by_hand("kill1", -5)


def remade(model, round_index: int):
    """The merge of a past round, made anew from its events alone."""
    owner = model.owner
    found = gather_repo(owner.chain, owner.remote, model.repo)
    record = found.history.rounds[model.branch, round_index]
    events = found.events[: record.frozen_seq]
    history = replay(model.repo, events)
    moves = tuple(history.branches[model.branch].moves)
    evidence = Evidence(history, events, moves, NamingStore(owner.remote))
    head = trusted_commit(evidence, record.base_commit)
    live = history.branches[model.branch].live_round
    return make_merge(evidence, live, head, owner.wallet), record


@pytest.fixture(scope="module")
def killed(place):
    return place.publish("killed", max_updates=2)


def test_places_of_death_are_all_there_are(killed, nursery):
    push_round(killed)

    ((code, text),) = run_children(nursery, child(killed, "owner", "bot-killed"))

    assert code == 0, text
    assert text.splitlines()[-1] == f"passed {N_PLACES}"


@pytest.mark.parametrize("kill_at", range(1, N_PLACES + 1))
def test_killed_anywhere_and_started_again_the_same_head_comes_out(
    killed, nursery, kill_at
):
    index = killed.account().round_index
    push_round(killed)
    doomed = child(killed, "owner", "bot-killed", kill_at)
    ((code, text),) = run_children(nursery, doomed)
    assert code == -signal.SIGKILL, text

    aggregator(killed, "owner", "bot-killed").once()

    expected, record = remade(killed, index)
    assert killed.account().head_commit == expected
    assert set(record.proposers) == {expected}
    assert killed.account().round_index == index + 1
    assert killed.owner.chain.rounds(killed.branch) == []


def test_history_of_all_these_lives_checks(killed):
    owner = killed.owner
    report = verify_branch(owner.chain, owner.remote, killed.repo, "main")
    assert report.head == killed.account().head_commit


def test_several_at_once_make_one_merge(place, nursery):
    model = place.publish("several", max_updates=2)
    crowd = ["owner", "crowd1", "crowd2", "crowd3"]
    for name in crowd[1:3]:
        grant_merge(model, name)
    for number in range(2):
        push_round(model)
        runs = [child(model, name, f"bot-{name}") for name in crowd]
        ended = run_children(nursery, *runs)
        assert [code for code, _ in ended] == [0] * len(crowd), ended
        # Whoever came too late to see a rival's candidate left its own behind.
        rest = aggregator(model, "owner", "bot-owner").once()
        assert set(rest) <= {*WHOLE_ROUND, "merge_expire"}
        assert model.account().head_seq == number + 2
        assert model.owner.chain.branch_candidates(model.branch) == []
        assert model.owner.chain.rounds(model.branch) == []
    verify_branch(model.owner.chain, model.owner.remote, model.repo, "main")
