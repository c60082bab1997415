from types import SimpleNamespace

import pytest

from flair_client.cli import session
from flair_client.cli.session import App, Invocation
from flair_client.errors import IdentifierInvalid, UsageError, WalletError
from flair_client.progress import NO_PROGRESS
from flair_client.repo_address import RepoAddress


@pytest.fixture
def app(home):
    """Makes an App with global flags."""

    def make(**flags):
        return App(Invocation(flags=flags))

    return make


@pytest.fixture
def terminal(monkeypatch):
    """Puts the command before a terminal."""
    stream = SimpleNamespace(isatty=lambda: True)
    monkeypatch.setattr(
        session, "sys", SimpleNamespace(stdin=stream, stderr=stream, stdout=stream)
    )


def test_confirm_never_asks_without_a_terminal(app):
    with pytest.raises(UsageError, match="--force"):
        app().confirm("really?", flag="--force", given=False)


def test_confirm_never_asks_for_json(app, terminal):
    with pytest.raises(UsageError, match="--force"):
        app(json=True).confirm("really?", flag="--force", given=False)


def test_confirm_asks_a_person_and_takes_no_for_an_answer(app, terminal, monkeypatch):
    answers = iter([True, False])
    monkeypatch.setattr("click.confirm", lambda *_, **__: next(answers))

    app().confirm("really?", flag="--force", given=False)
    with pytest.raises(UsageError, match="nothing was done"):
        app().confirm("really?", flag="--force", given=False)


def test_confirm_is_silent_where_the_flag_was_given(app):
    app().confirm("really?", flag="--force", given=True)


def test_progress_is_shown_to_people_alone(app, terminal, monkeypatch):
    assert app().progress is not NO_PROGRESS
    assert app(json=True).progress is NO_PROGRESS
    assert app(quiet=True).progress is NO_PROGRESS
    assert app(progress=False).progress is NO_PROGRESS
    monkeypatch.setenv("FLAIR_NO_PROGRESS", "1")
    assert app().progress is NO_PROGRESS


def test_progress_is_off_without_a_terminal(app):
    assert app().progress is NO_PROGRESS


def test_a_bar_moves_and_goes(app, terminal, capsys):
    with app().progress.task("sending", 10, "bytes") as task:
        task.advance(4)
        task.advance(6)
    with app().progress.task("checking", 3, "commits") as task:
        task.advance(3)

    assert capsys.readouterr().out == ""


def test_the_repository_is_the_one_named_or_the_workspaces(app, workspace):
    address = RepoAddress("devnet", RepoAddress.parse(ADDRESS).creator, "heart")
    (workspace / ".flair/config").write_text(
        f'[workspace]\nrepo = "{address}"\nbranch = "trial"\n'
    )

    assert app().repo_address(None) == address
    assert app().repo_address(ADDRESS) == RepoAddress.parse(ADDRESS)
    assert app().branch_name(None, address) == "trial"
    assert app().branch_name(None, address.at("other")) == "other"
    assert app().branch_name("main", address.at("other")) == "main"


ADDRESS = "flair://localnet/FLRK2f6aX5SoVuziobDG3LMD6TKc3nuVxECVhM5x2CBT/lung"


def test_without_a_workspace_the_repository_must_be_named(app):
    with pytest.raises(UsageError, match="no repository is named"):
        app().repo_address(None)


def test_a_bare_name_is_ones_own_repository(app, flair):
    with pytest.raises(WalletError):
        app().repo_address("heart")
    line = flair("wallet", "new", "--json").line

    address = app().repo_address("heart")

    assert str(address.creator) == line["result"]["address"]
    with pytest.raises(IdentifierInvalid):
        app().repo_address("Heart")


def test_a_network_flag_against_the_address_is_refused(app):
    with pytest.raises(UsageError, match=r"'devnet'.*'localnet'"):
        app(network="localnet").context(network="devnet")
