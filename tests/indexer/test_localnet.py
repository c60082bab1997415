"""The indexer on a real localnet, as people run it."""

import contextlib
import json
import os
import signal
import subprocess
import sys

import pytest
from aggregator_place import aggregator

from flair_client.chain.pdas import PROGRAM_ID
from flair_client.chain.rpc import Rpc
from flair_client.cli.app import run
from flair_indexer import queries
from flair_indexer.db import open_database
from flair_indexer.source import RpcSource


@pytest.fixture(scope="module")
def model(place):
    made = place.publish("heart", max_updates=2)
    bot = aggregator(made, "owner", "bot")
    for _ in range(2):
        made.hospitals(0.5, 0.25)
        bot.once()
    return made


def flair(capsys, *arguments):
    code = run(["indexer", *arguments, "--json"])
    return code, json.loads(capsys.readouterr().out)["result"]


def test_a_repository_is_mirrored_and_proved_whole(model, home, capsys):
    code, found = flair(capsys, "backfill")

    assert code == 0
    assert found["progress"]["n_pending"] == found["progress"]["n_dead_letters"] == 0
    assert found["progress"]["behind"] == found["progress"]["different"] == []
    database = open_database(f"sqlite:///{home / 'indexer' / 'localnet.sqlite'}")
    repo = queries.repo(database, model.repo)
    account = model.owner.chain.repo(model.repo)
    assert (repo.seq, repo.root) == (account.event_seq, account.history_root)
    assert (repo.name, repo.state) == ("heart", "same")
    (branch,) = queries.branches(database, model.repo)
    on_chain = model.account()
    assert branch.head_commit == on_chain.head_commit
    assert branch.round_index == on_chain.round_index
    assert branch.is_round_live == on_chain.round_live
    rounds = queries.rounds(database, branch.branch)
    assert [one.state for one in rounds] == ["merged", "merged"]
    assert [one.state for one in queries.updates(database, branch.branch, 0)] == [
        "merged",
        "merged",
    ]
    assert [one.kind for one in queries.commits(database, branch.branch)] == [
        "merge",
        "merge",
        "root",
    ]
    database.close()


def test_a_rebuild_tells_that_the_bytes_are_the_same(model, home, capsys):
    flair(capsys, "backfill")

    code, found = flair(capsys, "rebuild")

    assert code == 0
    assert found["identical"] is True
    assert found["digest_before"] == found["digest_after"]


def test_status_tells_lag_and_last_comparison(model, home, capsys):
    flair(capsys, "backfill")

    code, found = flair(capsys, "status")

    assert code == 0
    assert (
        found["lag_slots"] == found["chain_slot"] - found["progress"]["complete_slot"]
    )
    assert found["progress"]["reconciled_at"] > 0
    assert run(["indexer", "status"]) == 0
    assert "behind the chain" in capsys.readouterr().out


def test_status_without_a_database_names_the_remedy(home, capsys):
    assert run(["indexer", "status"]) == 1
    assert "flair indexer migrate" in capsys.readouterr().err


def test_tables_are_made_once(home, capsys):
    code, first = flair(capsys, "migrate")
    _, second = flair(capsys, "migrate")

    assert code == 0
    assert first["before"] is None
    assert second["before"] == second["after"] == first["after"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_ends_when_it_is_told_to(model, home, number):
    command = [sys.executable, "-m", "flair_client.cli", "indexer", "run", "--json"]
    command += ["--log-json"]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "FLAIR_HOME": str(home)},
    ) as child:
        first = child.stderr.readline()
        child.send_signal(number)
        out, _ = child.communicate(timeout=60)

    assert "mirrors into" in first
    assert child.returncode == 0
    assert json.loads(out)["result"]["database"].startswith("sqlite:///")


def test_an_rpc_that_takes_no_batches_gives_the_same(model, place):
    with contextlib.ExitStack() as stack:
        sources = []
        for size in (1, 3, 100):
            source = RpcSource(Rpc(place.url), PROGRAM_ID, batch_size=size)
            stack.callback(source.close)
            sources.append(source)
        listed = sources[0].signatures(PROGRAM_ID, before=None, until=None, limit=1000)
        wanted = [one.signature for one in listed]

        answers = [source.transactions(wanted) for source in sources]

    assert answers[0] == answers[1] == answers[2]
    assert len(wanted) > 20
