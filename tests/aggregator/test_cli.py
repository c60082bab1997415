"""`flair aggregator` as people and services run it."""

import json
import os
import re
import signal
import subprocess
import sys

import pytest
from aggregator_place import aggregator
from test_run import WHOLE_ROUND

from flair_client.cli.app import run


def flair(place, *arguments, who="owner"):
    place.context(who)
    return run(["aggregator", *arguments, "--wallet", str(place.wallet(who))])


def envelope(capsys):
    return json.loads(capsys.readouterr().out)


def test_once_does_a_round_and_says_each_step(place, home, capsys):
    model = place.publish("cli", max_updates=2)
    model.push_by_hand("c0")
    model.push_by_hand("c1", 5)

    assert flair(place, "run", "--once", "--repo", str(model.address)) == 0

    out, err = capsys.readouterr()
    assert out == "5 steps\n"
    lines = err.splitlines()
    assert lines[0] == "cli main round 0: closed with 2 updates"
    assert re.fullmatch(r"cli main round 0: proposed merge [0-9a-f]{12}", lines[2])
    assert lines[-1] == "cli main: waits: no round is in progress"
    assert (home / "aggregator" / "outbox.sqlite").is_file()


def test_once_as_json_is_one_line(place, home, capsys):
    model = place.publish("json", max_updates=2)
    model.push_by_hand("j0")
    model.push_by_hand("j1")

    code = flair(place, "once", "--repo", str(model.address), "--json", "-q")

    found = envelope(capsys)
    assert code == found["exit_code"] == 0
    assert found["command"] == "aggregator once"
    assert [one["step"] for one in found["result"]["steps"]] == WHOLE_ROUND
    assert found["result"]["n_steps"] == 5
    assert all(one["tx_signature"] for one in found["result"]["steps"])


def test_status_tells_rounds_waits_and_the_last_steps(place, home, capsys):
    model = place.publish("status", max_updates=2)
    model.push_by_hand("st0")
    address = str(model.address)
    assert flair(place, "once", "--repo", address, "-q") == 0
    capsys.readouterr()

    assert flair(place, "status", "--repo", address, "--json") == 0
    (branch,) = envelope(capsys)["result"]["branches"]
    assert (branch["branch"], branch["round_index"], branch["state"]) == (
        "main",
        0,
        "open",
    )
    assert branch["found"] == ["round 0 is open: 1 of 2 updates"]

    model.push_by_hand("st1")
    assert flair(place, "status", "--repo", address) == 0
    assert re.search(r"next +round_close", capsys.readouterr().out)
    assert flair(place, "once", "--repo", address, "-q") == 0
    capsys.readouterr()
    assert flair(place, "status", "--repo", address, "--json") == 0
    found = envelope(capsys)["result"]
    assert [one["step"] for one in found["steps"]] == WHOLE_ROUND[::-1]
    assert {one["outcome"] for one in found["steps"]} == {"done"}


def test_refused_step_ends_a_single_look_with_1(place, home, capsys):
    model = place.publish("broke", max_updates=2)
    model.push_by_hand("b0")
    model.push_by_hand("b1")
    place.context("broke", funds=0)

    code = flair(place, "once", "--repo", str(model.address), who="broke")

    assert code == 1
    assert "round_close refused" in capsys.readouterr().err


def test_repository_that_is_not_there(place, home, capsys):
    place.context("owner")
    creator = place.context("owner").wallet.address
    for verb in (["run"], ["once"], ["status"]):
        assert flair(place, *verb, "--repo", f"{creator}/nowhere") == 1
        assert "there is no repo" in capsys.readouterr().err


def test_outbox_that_is_no_outbox(place, home, capsys):
    model = place.publish("outbox")
    data = home / "data"
    data.mkdir()
    (data / "outbox.sqlite").write_bytes(b"no database" * 1000)

    code = flair(place, "once", "--repo", str(model.address), "--data", str(data))

    err = capsys.readouterr().err
    assert code == 5
    assert f"outbox {data / 'outbox.sqlite'} cannot be read" in err
    assert "move the file away" in err


def test_data_folder_that_cannot_be_made(place, home, capsys):
    model = place.publish("nodata")
    (home / "file").write_text("")

    code = flair(
        place, "once", "--repo", str(model.address), "--data", str(home / "file" / "x")
    )

    assert code == 2
    assert "file" in capsys.readouterr().err


def test_two_repositories_and_a_branch_that_is_not_there(place, home, capsys):
    first = place.publish("first", max_updates=2)
    second = place.publish("second", max_updates=2)
    for model in (first, second):
        model.push_by_hand("t0")
        model.push_by_hand("t1")
    both = ["--repo", str(first.address), "--repo", f"{second.address}@main"]

    assert flair(place, "once", *both) == 0
    assert first.account().head_seq == second.account().head_seq == 2
    capsys.readouterr()

    assert flair(place, "once", *both, "--branch", "nothing") == 1
    assert "there is no branch" in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_run_merges_what_comes_until_a_signal(place, home, number):
    name = f"signal{int(number)}"
    model = place.publish(name, max_updates=2)
    place.context("owner")
    command = [sys.executable, "-m", "flair_client.cli", "aggregator", "run"]
    command += ["--repo", str(model.address), "--interval", "1s", "--json"]
    command += ["--wallet", str(place.wallet("owner"))]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "FLAIR_HOME": str(home)},
    ) as process:
        # Both lie ready before the first look ends, or come while it runs: no matter.
        model.push_by_hand("g0")
        model.push_by_hand("g1")
        told = []
        while "settled 2 updates" not in "".join(told):
            told.append(process.stderr.readline())
            assert told[-1], "".join(told)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)

    assert process.returncode == 0, err
    assert told[0].startswith("aggregator works as ")
    assert "ending after the step in hand" in err
    found = json.loads(out)
    assert found["result"]["n_steps"] == 5
    assert model.account().head_seq == 2


def test_interrupted_look_goes_on_with_the_next_command(place, home, capsys):
    model = place.publish("interrupted", max_updates=2)
    model.push_by_hand("i0")
    model.push_by_hand("i1")
    bot = aggregator(model, "owner", "bot-interrupted")
    finish = bot.outbox.finish

    def finish_and_stop(*args):
        finish(*args)
        bot.stop.requested = True

    bot.outbox.finish = finish_and_stop
    for step in WHOLE_ROUND:
        bot.stop.requested = False
        assert bot.once() == [step]


def test_map_without_rows(place, home, capsys):
    model = place.publish("map")
    (home / "map.toml").write_text("")

    code = flair(
        place, "once", "--repo", str(model.address), "--held-out-map", "map.toml"
    )

    assert code == 2
    assert "--held-out-map is for --held-out" in capsys.readouterr().err
