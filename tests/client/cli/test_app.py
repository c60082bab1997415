import json
import os
import subprocess
import sys
import time
from importlib.metadata import version

import click
import pytest

from flair_client.cli import app as app_module
from flair_client.cli.command import Lazy, LazyGroup, command
from flair_client.cli.registry import BUILT_IN, all_commands
from flair_client.errors import AlreadyPushed, BlockMissing, VerificationError


@pytest.fixture
def with_command(monkeypatch):
    """Puts a command of the test among the real ones."""

    def put(name, function, **kw):
        made = command(name, examples=("flair x",), **kw)(function)
        monkeypatch.setattr(
            app_module,
            "all_commands",
            lambda: all_commands() | {name: Lazy(f"{__name__}:made", "", "Test")},
        )
        monkeypatch.setattr(Lazy, "load", lambda _: made)

    return put


def test_version_is_the_distributions(flair):
    assert flair("--version").out == f"flair {version('flair-hub')}\n"
    assert flair("-V").code == 0


def test_help_lists_every_command_and_imports_none():
    script = (
        "import sys; from flair_client.cli.app import run; code = run(['--help']); "
        "loaded = [m for m in sys.modules if (m + '.').startswith(('solders.', "
        "'numpy.', 'flair_client.porcelain.', 'flair_client.chain.', 'rich.', "
        "'httpx.'))]; "
        "print(loaded, file=sys.stderr); sys.exit(code)"
    )

    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert done.stderr == "[]\n"
    for name in BUILT_IN:
        assert f"  {name} " in done.stdout


def test_version_is_quick():
    # Three tries: a busy machine may be slow once, a slow command always is.
    seconds = []
    for _ in range(3):
        begin = time.process_time_ns(), os.times().children_user
        subprocess.run(
            [sys.executable, "-m", "flair_client.cli", "--version"],
            check=True,
            capture_output=True,
        )
        seconds.append(os.times().children_user - begin[1])
    assert min(seconds) < 0.3


@pytest.mark.parametrize(
    "arguments",
    [
        ("--json", "wallet", "list"),
        ("wallet", "--json", "list"),
        ("wallet", "list", "--json"),
    ],
)
def test_global_flags_stand_anywhere(flair, arguments):
    ran = flair(*arguments)

    assert ran.code == 0
    assert ran.line["command"] == "wallet list"
    assert ran.line["status"] == "ok"


def test_the_later_global_flag_wins(flair):
    flair("wallet", "new", "one")
    flair("wallet", "new", "two")

    ran = flair("--wallet", "one", "wallet", "show", "--wallet", "two", "--json")

    assert ran.line["result"]["name"] == "two"


def test_envelope_has_the_same_fields_for_success_and_failure(flair):
    good = flair("wallet", "list", "--json").line
    bad = flair("wallet", "show", "--json").line

    assert list(good) == list(bad)
    assert bad["schema_version"] == 1
    assert bad["status"] == "error"
    assert bad["exit_code"] == 3
    assert bad["error_code"] == "WalletError"
    assert bad["hint"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("wallet", "nonsense"),
        ("wallet", "list", "--nonsense"),
        ("wallet",),
        ("config", "get"),
        ("network", "add", "x"),
        ("role", "grant", "not-an-address", "contribute"),
        ("round", "show", "minus-one"),
    ],
)
def test_usage_errors_exit_2_and_are_an_envelope(flair, arguments):
    spoken = flair(*arguments)
    written = flair(*arguments, "--json")

    assert spoken.code == written.code == 2
    assert spoken.out == ""
    assert written.err == ""
    assert written.line["error_code"] == "UsageError"
    assert written.line["exit_code"] == 2


def test_json_before_the_first_wrong_word_counts(flair):
    assert flair("--json", "nonsense").line["exit_code"] == 2


def test_json_behind_two_dashes_is_an_argument(flair):
    ran = flair("config", "get", "--", "--json")

    assert ran.out == ""
    assert "'--json' is not a setting" in ran.err


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (("walet",), "wallet"),
        (("polixy",), "policy"),
        (("wallet", "lst"), "list"),
        (("wallet", "list", "--jsn"), "--json"),
    ],
)
def test_a_typo_is_answered_with_what_may_be_meant(flair, typed, meant):
    ran = flair(*typed)

    assert ran.code == 2
    assert f"'{meant}'" in ran.err


def test_ls_is_list(flair):
    assert flair("wallet", "ls", "--json").line["command"] == "wallet list"


def test_a_noun_alone_shows_its_help_and_is_a_usage_error(flair):
    ran = flair("wallet")

    assert ran.code == 2
    assert "Usage: flair wallet" in ran.err


def test_a_flair_error_becomes_sentence_and_remedy(flair, with_command):
    def fail(app):
        raise AlreadyPushed("round 3 of 'main' has your update already")

    with_command("fail", fail)

    ran = flair("fail")

    assert ran.code == 1
    assert "error: round 3 of 'main' has your update already" in ran.err
    assert "flair update withdraw" in ran.err
    assert "Traceback" not in ran.err


def test_a_message_that_quotes_others_moves_no_cursor(flair, with_command):
    def fail(app):
        app.out.warn("the server says \x1b[2Jall is well")
        raise AlreadyPushed("commit \u202eabc\x07 in\ntwo lines")

    with_command("fail", fail)

    ran = flair("fail")

    assert "warning: the server says \\x1b[2Jall is well\n" in ran.err
    assert "error: commit \\u202eabc\\x07 in\ntwo lines\n" in ran.err
    assert "\u202e" in flair("fail", "--json").line["message"]


def test_a_result_before_the_error_stays_in_the_envelope(flair, with_command):
    def pull(app):
        app.out.result({"head": "abc"})
        raise VerificationError("event 17", "its root is not the next one's")

    with_command("pull", pull)

    line = flair("pull", "--json").line

    assert line["exit_code"] == 5
    assert line["error_code"] == "VerificationError"
    assert line["message"] == "event 17: its root is not the next one's"
    assert line["result"] == {"head": "abc"}


def test_a_negative_answer_has_result_and_exit_code_1(flair):
    ran = flair("config", "get", "workspace.repo", "--json")

    assert ran.code == 1
    assert ran.line["status"] == "error"
    assert ran.line["error_code"] is None
    assert ran.line["result"]["value"] is None


def test_a_bug_exits_70_and_asks_for_a_report(flair, with_command):
    def crash(app):
        raise ZeroDivisionError("by zero")

    with_command("crash", crash)

    ran = flair("crash")
    line = flair("crash", "--json").line

    assert ran.code == 70
    assert "Traceback" not in ran.err
    assert line["error_code"] == "InternalError"
    assert "report" in line["hint"]
    assert "Traceback" in flair("crash", "-v").err


def test_an_interrupt_exits_130_and_is_an_envelope(flair, with_command):
    def wait(app):
        raise KeyboardInterrupt

    with_command("wait", wait)

    ran = flair("wait")
    line = flair("wait", "--json").line

    assert ran.code == 130
    assert ran.out == ""
    assert line["error_code"] == "Interrupted"
    assert line["exit_code"] == 130


def test_a_full_disk_is_said_plainly(flair, with_command):
    def write(app):
        raise OSError(28, "No space left on device", "weights.safetensors")

    with_command("write", write)

    line = flair("write", "--json").line

    assert line["exit_code"] == 1
    assert line["error_code"] == "StoreFull"
    assert line["message"] == "weights.safetensors: No space left on device"


def test_a_reader_that_goes_away_is_no_error(home):
    reading = (
        f"{sys.executable} -m flair_client.cli config list --show-origin; echo $? >&2"
    )

    done = subprocess.run(
        ["bash", "-c", f"({reading}) | true"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stderr == "0\n"


def test_quiet_says_only_results(flair):
    ran = flair("wallet", "new", "-q")

    assert ran.err == ""
    assert len(ran.out.splitlines()) == 2


def test_errors_are_not_silenced_by_quiet(flair):
    assert "error:" in flair("-q", "wallet", "show").err


def test_colours_are_off_without_a_terminal_or_when_asked(flair):
    assert "\x1b[" not in flair("wallet", "show").err
    assert "\x1b[" not in flair("--no-color", "wallet", "show").err


def test_a_part_that_is_not_installed_answers_with_the_install_line():
    lazy = Lazy("flair_surely_absent.cli:part", "A part.", "Services", "part")
    root = LazyGroup(name="flair", lazy={"part": lazy}, examples=())

    with pytest.raises(click.UsageError, match=r"pip install 'flair-hub\[part\]'"):
        root.main(["part"], standalone_mode=False)


def test_a_missing_module_of_our_own_is_a_bug_and_not_an_install_line():
    lazy = Lazy("flair_client.surely_absent:part", "A part.", "Services", "part")

    with pytest.raises(ModuleNotFoundError):
        lazy.load()


def test_plug_ins_never_take_the_place_of_a_command(monkeypatch):
    class Point:
        name = "wallet"
        value = "evil:steal"

    class Other:
        name = "shine"
        value = "polish:shine"

    monkeypatch.setattr(
        "importlib.metadata.entry_points", lambda **_: [Point(), Other()]
    )

    found = all_commands()

    assert found["wallet"] == BUILT_IN["wallet"]
    assert found["shine"].target == "polish:shine"


def test_schema_describes_the_envelope(flair):
    schema = json.loads(flair("wallet", "list", "--schema").out)
    line = flair("wallet", "list", "--json").line

    assert set(schema["required"]) == set(line)
    wallets = schema["properties"]["result"]["anyOf"][0]["properties"]["wallets"]
    fields = wallets["items"]["properties"]
    assert fields["address"] == {"type": "string"}
    assert fields["is_default"] == {"type": "boolean"}


def test_schema_needs_no_arguments(flair):
    assert flair("role", "grant", "--schema").code == 0


def test_a_missing_block_is_an_integrity_failure(flair, with_command):
    def fetch(app):
        raise BlockMissing("bafkabc")

    with_command("fetch", fetch)

    assert flair("fetch", "--json").line["exit_code"] == 5
