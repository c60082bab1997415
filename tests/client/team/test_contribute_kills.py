"""`flair contribute` killed on its way: no update twice, none lost; and told to end."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flair_client.history.evidence import gather_repo
from flair_client.porcelain.contribute import ContributePlan, contribute
from flair_client.porcelain.round import round_open
from flair_client.porcelain.verify import verify

SERVER = Path(__file__).parents[1] / "cli" / "kill_server.py"
# Of each half of a round so many points are tried, evenly spread, besides its ends.
N_SPREAD = 7


class Child:
    """Runs `flair contribute` of the first site in processes that can be killed."""

    def __init__(self, team):
        self.team = team
        self.process = subprocess.Popen(
            [sys.executable, SERVER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __call__(self, point=0):
        _, workspace = self.team.sites[0]
        words = ["contribute", "--data", self.team.folder / "rows.csv", "--once"]
        words += ["--json", "--home", self.team.home, "--wallet", "site-0"]
        order = {
            "arguments": [str(word) for word in words],
            "cwd": str(workspace.folder),
            "point": point,
            "signal": int(signal.SIGKILL),
            "max_file": None,
        }
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()


@pytest.fixture
def child(team):
    with contextlib.closing(Child(team)) as made:
        yield made


def places(count):
    """First, last, and some between."""
    step = max(count // N_SPREAD, 1)
    return sorted({1, count, *range(1, count + 1, step)})


def other_site(team):
    ctx, workspace = team.sites[1]
    contribute(ctx, workspace, ContributePlan(data=team.folder / "rows.csv", once=True))


def test_killed_anywhere_every_round_has_one_update_and_is_told(team, child):
    wallet = team.sites[0][0].wallet.address
    told, tried, halves = [], [], []

    def a_round(before=0, after=0):
        """Opens, contributes, merges, looks at the merge; killed at these points."""
        round_open(team.owner, team.repo, "main")
        index = team.place.account.round_index
        answers = [child(before)] if before else []
        answers.append(child())
        assert answers[-1]["code"] == 0, answers[-1]
        place = team.place
        updates = team.owner.chain.updates(place.round(index).address)
        assert [one.contributor for one in updates] == [wallet]
        other_site(team)
        team.close_round()
        team.finish_round(team.good_merge())
        ends = [child(after)] if after else []
        ends.append(child())
        assert ends[-1]["code"] == 0, ends[-1]
        orders = [point for point in (before, after) if point]
        tried.extend(zip(orders, answers[:-1] + ends[:-1], strict=True))
        told.extend(one for answer in answers + ends for one in events_of_all(answer))
        halves[:] = [answers[-1]["points"], ends[-1]["points"]]
        return index

    first = a_round()
    # The first round has more to do than the others.
    a_round()
    n_before, n_after = halves
    last = first
    for before, after in zip_longest_cycle(places(n_before), places(n_after)):
        last = a_round(before, after)

    # Some points lie behind the end of a run that asked less often than the measured.
    missed = [(point, answer) for point, answer in tried if answer["code"] == 0]
    assert all(answer["points"] < point for point, answer in missed)
    killed = [one for _, one in tried if one["code"] == -signal.SIGKILL]
    assert len(killed) + len(missed) == len(tried)
    assert len(killed) > len(missed)
    outcomes = {one["round_index"]: one["outcome"] for one in told}
    assert outcomes == dict.fromkeys(range(first, last + 1), "merged")
    history = gather_repo(
        team.owner.chain, team.owner.remote, team.place.repo.address
    ).history
    assert all(len(record.updates) == 2 for record in history.rounds.values())
    assert verify(team.owner, team.repo).fault is None
    assert team.sites[0][1].head().commit == team.head


def events_of_all(answer):
    lines = [json.loads(line) for line in answer["out"].splitlines() if line]
    return [line["round"] for line in lines if line.get("event") == "round"]


def zip_longest_cycle(first, second):
    """Every place of both, side by side; the shorter one again from its start."""
    count = max(len(first), len(second))
    return [(first[n % len(first)], second[n % len(second)]) for n in range(count)]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_between_two_steps(team, number):
    _, workspace = team.sites[0]
    round_open(team.owner, team.repo, "main")
    words = ["contribute", "--data", team.folder / "rows.csv", "--watch", "--json"]
    words += ["--home", team.home, "--wallet", "site-0"]
    with subprocess.Popen(
        [sys.executable, "-m", "flair_client.cli", *map(str, words)],
        cwd=workspace.folder,
        env={**os.environ, "FLAIR_NO_PROGRESS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        said = []
        for line in process.stderr:
            said.append(line.strip())
            if "takes those of others" in said[-1]:
                break
        process.send_signal(number)
        begun = time.monotonic()
        out, err = process.communicate(timeout=60)

    assert process.returncode == 0, err
    assert time.monotonic() - begun < 30
    assert "ending after the step in hand" in err
    assert json.loads(out)["result"]["ending"] == "asked"
    place = team.place
    updates = team.owner.chain.updates(place.round(place.account.round_index).address)
    assert len(updates) == 1
