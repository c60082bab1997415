"""An aggregator as a service: allowance, expiring role, health, an indexer, company."""

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from dataclasses import replace

import httpx
import pytest
from aggregator_place import aggregator
from test_run import WHOLE_ROUND, counting, grant_merge
from test_votes import candidate, pushed, verify

from flair_aggregator.budget import DAY_S, Budget
from flair_aggregator.health import Health, telling
from flair_aggregator.indexed import IndexedPending
from flair_aggregator.outbox import open_outbox
from flair_aggregator.pending import RpcPending
from flair_aggregator.round import BranchView
from flair_aggregator.settings import Options
from flair_client.chain.accounts import MergeCandidateAccount, Scope, account_size
from flair_client.cli.app import run
from flair_client.errors import UsageError
from flair_client.ids import Address
from flair_client.porcelain.repo_offer import repo_accept, repo_offer
from flair_client.porcelain.role import role_grant, role_revoke
from flair_client.porcelain.vote import approve
from flair_client.sponsor.rules import rent_of
from flair_indexer.db import open_database

WALLET = Address(bytes([7]) * 32)
DAY = 86_400


def with_cap(model, name, lamports, today):
    """The owner's aggregator with an allowance, and a clock that a test moves."""
    bot = aggregator(model, "owner", name, options=Options(lamports_per_day=lamports))
    budget = replace(bot.worker.world.budget, now=lambda: today[0])
    bot.worker.world = replace(bot.worker.world, budget=budget)
    return bot


def test_a_days_allowance_holds_it_back_until_the_next_day(place):
    model = place.publish("cap", max_updates=2)
    today = [100 * DAY_S]
    model.push_by_hand("c0")
    model.push_by_hand("c1")
    bot = with_cap(model, "bot-cap", 11_000, today)

    assert bot.once() == WHOLE_ROUND[:2]
    assert "10000 of 11000 lamports are spent today" in bot.said[-1]
    assert bot.once() == []
    today[0] += DAY_S
    bot.clock[0] += DAY_S

    # Rent of the proposal alone is more than the allowance of a day.
    assert bot.once() == []
    assert "0 of 11000 lamports" in bot.said[-1]
    richer = with_cap(model, "bot-cap", 10_000_000, today)
    assert richer.once() == WHOLE_ROUND[2:]
    verify(model)


def test_what_a_step_cost_replaces_what_it_could_cost(place):
    model = place.publish("spent", max_updates=2)
    bot = aggregator(model, "owner", "bot-spent")
    pushed(model, "s0", "s1")

    assert bot.once() == WHOLE_ROUND

    rent = rent_of(account_size(MergeCandidateAccount))
    assert bot.worker.world.budget.spent() == 5 * 5_000 + rent


def test_an_allowance_is_of_a_wallet_and_a_day(tmp_path):
    outbox = open_outbox(tmp_path / "outbox.sqlite")
    now = [5 * DAY_S + 10]
    mine = Budget(outbox, WALLET, lambda: now[0], 9_000)
    other = Budget(outbox, Address(bytes([8]) * 32), lambda: now[0], 9_000)

    note = mine.reserve(())
    assert mine.reserve(()) is None
    assert other.reserve(()) is not None
    assert mine.spent() == 5_000
    mine.settle(note, 1_000, ())
    assert mine.reserve(()) is not None
    now[0] += DAY_S
    assert mine.spent() == 0
    assert mine.seconds_to_midnight() == DAY_S - 10
    outbox.close()
    again = open_outbox(tmp_path / "outbox.sqlite")
    assert Budget(again, WALLET, lambda: 5 * DAY_S).spent() == 6_000
    again.close()


def test_a_role_that_ends_is_told_a_week_and_a_day_ahead_and_when_it_has(place):
    model = place.publish("ends", max_updates=2)
    grantee = place.context("ending").wallet.address
    role_grant(model.owner, model.address, grantee, Scope.MERGE, lasts_s=10 * DAY)
    bot = aggregator(model, "ending", "bot-ends")
    place_was = place.ahead_ms[0]

    def told(after_days):
        place.ahead_ms[0] = place_was + int(after_days * DAY * 1000)
        bot.clock[0] += 20 * DAY
        bot.said.clear()
        bot.once()
        return [one for one in bot.said if "role" in one]

    assert told(1) == []
    assert "ends within a week, at 20" in told(3.5)[0]
    assert told(5) == []
    assert "ends within a day" in told(9.5)[0]
    assert "ended at 20" in told(10.1)[0]
    assert told(11) == []
    model.push_by_hand("e0")
    model.push_by_hand("e1")
    bot.once()
    assert "may not propose" in bot.said[-1]
    role_revoke(model.owner, model.address, grantee)
    role_grant(model.owner, model.address, grantee, Scope.MERGE)
    assert bot.once()[-1] == "update_settle"
    verify(model)


def test_an_owner_who_sold_and_bought_back_proposes_a_merge_of_another_id(place):
    model = place.publish("back", max_updates=2, approvals=1, protected=True)
    bot = aggregator(model, "owner", "bot-back")
    pushed(model, "b0", "b1")
    assert bot.once() == WHOLE_ROUND[:3]
    void = candidate(model).commit_id
    buyer = place.context("buyer-back")
    for giver, taker in ((model.owner, buyer), (buyer, model.owner)):
        repo_offer(giver, model.address, taker.wallet.address)
        repo_accept(taker, model.address)

    assert bot.once() == ["merge_propose"]
    (anew,) = {
        one.commit_id for one in model.owner.chain.branch_candidates(model.branch)
    } - {void}
    assert bot.once() == []
    approve(model.owner, model.address, "main", str(anew)[:12])

    assert bot.once() == [*WHOLE_ROUND[3:], "merge_expire"]
    assert model.account().head_commit == anew
    verify(model)


@contextlib.contextmanager
def process(place, home, who, model, *flags):
    """`flair aggregator run` as a process of its own, with notes of its own."""
    place.context(who)
    command = [sys.executable, "-m", "flair_client.cli", "aggregator", "run"]
    command += ["--repo", str(model.address), "--interval", "1s", "--json"]
    command += ["--wallet", str(place.wallet(who)), "--data", str(home / who), *flags]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "FLAIR_HOME": str(home)},
    ) as found:
        try:
            yield found
        finally:
            if found.poll() is None:
                found.kill()


def read_until(found, words):
    told = []
    while words not in (told[-1] if told else ""):
        told.append(found.stderr.readline())
        assert told[-1], "".join(told)
    return told


def pass_on(found, lines):
    for line in found.stderr:
        lines.put(line)


def end(found, lines=None):
    found.terminate()
    if lines is not None:
        # Another thread reads what it says to people.
        assert found.wait(60) == 0
        return json.loads(found.stdout.read())["result"]
    out, err = found.communicate(timeout=60)
    assert found.returncode == 0, err
    return json.loads(out)["result"]


def test_two_processes_share_a_round_and_nothing_is_done_twice(place, home):
    model = place.publish("two", max_updates=2)
    grant_merge(model, "second")
    with (
        process(place, home, "owner", model) as first,
        process(place, home, "second", model) as second,
    ):
        lines = queue.Queue()
        for one in (first, second):
            read_until(one, "no round is in progress")
            threading.Thread(target=pass_on, args=(one, lines), daemon=True).start()
        for number in range(2):
            model.push_by_hand(f"two{number}a")
            model.push_by_hand(f"two{number}b")
            while "settled 2 updates" not in lines.get(timeout=60):
                pass
        ended = [end(first, lines), end(second, lines)]

    steps = [step for one in ended for step in one["steps"]]
    done = [one["step"] for one in steps if one["outcome"] == "done"]
    others = {one["outcome"] for one in steps} - {"done"}
    assert done.count("round_close") == 2
    assert done.count("merge_accumulate") == 2
    assert done.count("merge_finalize") == 2
    assert others <= {"already done"}
    assert model.account().head_seq == 3
    aggregator(model, "owner", "bot-two").once()
    assert model.owner.chain.rounds(model.branch) == []
    verify(model)


def test_health_tells_rounds_fees_and_when_it_looked(place, home):
    model = place.publish("health", max_updates=2)
    model.push_by_hand("h0")
    flags = ("--health-port", "0", "--per-day", "0.5")
    with process(place, home, "owner", model, *flags) as bot:
        url = read_until(bot, "health at ")[-1].split()[-1]
        read_until(bot, "is open: 1 of 2")
        found = httpx.get(url, trust_env=False)
        other = httpx.get(url.replace("/healthz", "/else"), trust_env=False)
        end(bot)

    assert found.status_code == 200
    body = found.json()
    assert body["status"] == "ok"
    assert body["wallet"] == str(model.owner.wallet.address)
    assert body["lamports_per_day"] == 500_000_000
    branch = body["branches"]["health@main"]
    assert (branch["round"], branch["state"], branch["updates"]) == (0, "open", 1)
    assert other.status_code == 404


def health_of(tmp_path, clock):
    outbox = open_outbox(tmp_path / "outbox.sqlite")
    budget = Budget(outbox, WALLET, lambda: 0, None)
    return Health(WALLET, budget, 2.0, now_s=lambda: clock[0]), outbox


def test_health_fails_with_trouble_and_without_looks(tmp_path):
    clock = [0.0]
    health, outbox = health_of(tmp_path, clock)
    assert health.report()[0]
    health.said("heart main: trouble", "no RPC; trying again")
    is_well, found = health.report()
    assert not is_well
    assert found["trouble"] == ["no RPC; trying again"]
    health.said("heart main: trouble", "")
    health.looked(17)
    assert health.report()[1]["last_look"] == 17
    clock[0] = 299.0
    assert health.report()[0]
    clock[0] = 400.0
    assert not health.report()[0]
    with telling(health, "127.0.0.1", 0) as url:
        assert httpx.get(url, trust_env=False).status_code == 503
        taken = int(url.split(":")[2].partition("/")[0])
        with pytest.raises(UsageError, match="cannot be used"):
            telling(health, "127.0.0.1", taken).__enter__()
    outbox.close()


def test_health_is_for_one_that_stays(place, home, capsys):
    code = run(["aggregator", "run", "--once", "--health-port", "0"])

    assert code == 2
    assert "stays" in capsys.readouterr().err


@pytest.fixture
def mirror(place, home, tmp_path):
    """An indexer's database of the localnet, and how it is brought up to date."""
    url = f"sqlite:///{tmp_path / 'mirror.sqlite'}"

    def refresh():
        assert run(["indexer", "backfill", "--database", url]) == 0

    refresh()
    database = open_database(url)
    yield database, refresh
    database.close()


def test_an_indexer_names_what_waits_and_the_rpc_searches_for_nothing(place, mirror):
    database, refresh = mirror
    model = place.publish("mirror", max_updates=2, approvals=1)
    bot = aggregator(model, "owner", "bot-mirror")
    pending = IndexedPending(bot.ctx.chain, database)
    bot.worker.world = replace(bot.worker.world, pending=pending)
    pushed(model, "m0", "m1")
    refresh()
    asked = counting(bot.ctx)

    by_indexer = pending.read(model.repo, "main")
    assert "getProgramAccounts" not in asked
    by_rpc = RpcPending(bot.ctx.chain).read(model.repo, "main")

    assert replace(by_indexer, now=0) == replace(by_rpc, now=0)
    assert isinstance(by_indexer, BranchView)
    assert len(by_indexer.live.updates) == 2
    # Behind the chain from the first step on: the work goes on by RPC.
    assert bot.once() == WHOLE_ROUND[:3]
    refresh()
    asked.clear()
    view = pending.read(model.repo, "main")
    assert "getProgramAccounts" not in asked
    assert len(view.live.candidates) == 1
    approve(model.owner, model.address, "main")
    assert bot.once() == WHOLE_ROUND[3:]
    verify(model)


def test_without_its_database_the_aggregator_goes_on_by_rpc(place, tmp_path):
    model = place.publish("lost", max_updates=2)
    said = []
    database = open_database(f"sqlite:///{tmp_path / 'empty.sqlite'}")
    bot = aggregator(model, "owner", "bot-lost")
    pending = IndexedPending(bot.ctx.chain, database, said.append)
    bot.worker.world = replace(bot.worker.world, pending=pending)
    pushed(model, "l0", "l1")

    assert bot.once() == WHOLE_ROUND

    database.close()
    assert "the RPC is asked instead" in said[0]
    verify(model)


def test_a_database_that_hides_an_update_is_noticed(place, mirror, monkeypatch):
    database, refresh = mirror
    model = place.publish("hides", max_updates=3)
    pushed(model, "x0", "x1")
    refresh()
    from flair_indexer import queries

    inner = queries.updates
    monkeypatch.setattr(queries, "updates", lambda *args: inner(*args)[1:])
    chain = model.owner.chain

    view = IndexedPending(chain, database).read(model.repo, "main")

    assert len(view.live.updates) == 2
