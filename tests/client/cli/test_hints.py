"""No hint, help or page sends people to a command that is not there."""

import re
from pathlib import Path

import pytest

from flair_client import errors
from flair_client.cli.app import _EXAMPLES
from flair_client.cli.errors import (
    _LISTS,
    _TABLE,
    Outcome,
    outcome_of,
    with_known_commands,
)
from flair_client.cli.program_remedies import PROGRAM
from flair_client.cli.registry import all_commands

KNOWN = all_commands()
HINTS = [hint for _, hint in [*_TABLE.values(), *PROGRAM.values()] if hint]
HINTS += _LISTS.values()


def test_a_hint_that_names_an_unknown_command_is_left_out():
    outcome = Outcome(1, "X", "broken", "first `flair wallet list`, then `flair fly`")

    assert with_known_commands(outcome, {"wallet"}).hint is None
    assert with_known_commands(outcome, {"wallet", "fly"}) == outcome


@pytest.mark.parametrize("hint", HINTS)
def test_shown_hints_name_commands_that_exist(hint):
    shown = with_known_commands(Outcome(1, "X", "broken", hint), KNOWN).hint or ""

    assert set(re.findall(r"`flair ([a-z]+)", shown)) <= set(KNOWN)


def test_what_is_missing_is_looked_for_where_such_things_are_listed():
    missing = errors.AccountMissing("9xQe", "delegation", "of A to B")
    assert outcome_of(missing).hint == "see `flair delegate list`"
    other = outcome_of(errors.AccountMissing("9xQe", "repo", "flair://x"))
    assert other.hint == "check the address and `--network`"


def test_what_a_sponsor_foresees_has_the_hint_of_what_would_be_refused():
    def hint(said):
        return outcome_of(errors.SponsorForesees("fails", said)).hint

    late = "it would fail: instruction 0: the invite has expired (InviteExpired, 6049)"
    assert hint(late) == PROGRAM["InviteExpired"][1]
    assert "do what the sentence asks for" in hint("it would fail (Nonsense, 1)")
    assert "do what the sentence asks for" in hint("it would fail")


def test_examples_of_the_help_name_commands_that_exist():
    assert {example.split()[1] for example in _EXAMPLES} <= set(KNOWN)


def test_the_readme_runs_commands_that_exist():
    readme = Path(__file__).parents[3] / "README.md"
    tour = readme.read_text().partition("## A tour")[2].partition("\n## ")[0]
    blocks = "".join(re.findall(r"```sh\n(.*?)```", tour, re.DOTALL))
    named = re.findall(r"(?:^|do |&& |\$\()flair ([a-z]+)", blocks, re.MULTILINE)

    assert len(named) > 20
    assert set(named) <= set(KNOWN)
