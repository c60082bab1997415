"""Which commands there are. One line each; listing them imports none.

Parts that plug in (`flair aggregator`) are found through the entry points of the group
`flair.commands`; those that Flair ships are listed here as well, so that their name
answers with the line that installs them.
"""

from collections.abc import Mapping
from typing import Final

from flair_client.cli.command import Lazy

_WORK: Final = "Work on a model"
_HISTORY: Final = "Look at history"
_SHARE: Final = "Own a repository"
_SETUP: Final = "Networks, wallets, settings"
_PARTS: Final = "Services"


def _own(name: str, help_: str, section: str, extra: str | None = None) -> Lazy:
    attribute = name.replace("-", "_")
    return Lazy(
        f"flair_client.cli.{attribute}:{attribute}_command", help_, section, extra
    )


BUILT_IN: Final[Mapping[str, Lazy]] = {
    name: _own(name, help_, section, extra)
    for name, help_, section, extra in (
        ("init", "Makes a workspace for a new model.", _WORK, None),
        ("clone", "Fetches a repository into a new workspace.", _WORK, None),
        ("join", "Joins a repository by a link, or asks its owner.", _WORK, None),
        ("status", "Shows where the workspace stands.", _WORK, None),
        (
            "trust",
            "Shows and accepts what a repository runs and asks for.",
            _WORK,
            None,
        ),
        ("train", "Trains on local data; nothing leaves the machine.", _WORK, None),
        ("commit", "Signs an update or a snapshot.", _WORK, None),
        ("outbox", "Lists every byte that a push sends.", _WORK, None),
        ("push", "Sends the commit to the store and the chain.", _WORK, None),
        (
            "contribute",
            "Takes part in rounds unattended: waits, trains, pushes, evaluates.",
            _WORK,
            None,
        ),
        ("pull", "Verifies what is new and moves to the head.", _WORK, None),
        ("merge", "Merges models into one, by a method.", _WORK, None),
        ("export", "Writes the weights of a commit as a file.", _WORK, None),
        (
            "car",
            "Writes a commit with its history into one file, and reads it.",
            _WORK,
            None,
        ),
        ("evaluate", "Measures a model on your own data.", _WORK, None),
        ("log", "Lists the commits of a branch.", _HISTORY, None),
        ("show", "Shows a commit.", _HISTORY, None),
        ("diff", "Compares the tensors of two commits.", _HISTORY, None),
        ("report", "Writes a page with pictures of a history.", _HISTORY, None),
        ("tag", "Gives commits names of your own.", _HISTORY, None),
        ("bisect", "Finds the commit after which a metric fell.", _HISTORY, None),
        ("verify", "Checks a repository's whole history.", _HISTORY, None),
        ("fsck", "Checks the blocks of the workspace.", _HISTORY, None),
        ("gc", "Removes blocks that nothing names.", _HISTORY, None),
        (
            "revert",
            "Undoes a merge, one contributor's part, or all since a commit.",
            _HISTORY,
            None,
        ),
        ("repo", "Makes, shows and hands over repositories.", _SHARE, None),
        ("fork", "Makes a repository of your own from another's head.", _SHARE, None),
        ("branch", "Makes and shows branches.", _SHARE, None),
        ("role", "Grants and revokes roles.", _SHARE, None),
        (
            "invite",
            "Makes and revokes links with which others join.",
            _SHARE,
            None,
        ),
        ("request", "Shows and closes requests to join.", _SHARE, None),
        ("delegate", "Lets machine keys push for a wallet.", _SHARE, None),
        ("sponsor", "Pays fees and rent for contributors.", _SHARE, None),
        ("policy", "Makes and shows policies: the rules of rounds.", _SHARE, None),
        (
            "simulate",
            "Shows how well strategies withstand hostile contributors.",
            _SHARE,
            None,
        ),
        ("round", "Opens, closes, aborts and shows rounds.", _SHARE, None),
        (
            "update",
            "Lists, reviews, accepts, rejects and withdraws updates.",
            _SHARE,
            None,
        ),
        (
            "candidate",
            "Lists, shows and approves proposed merges.",
            _SHARE,
            None,
        ),
        (
            "attest",
            "Makes a proposed merge again, then signs that it came out the same.",
            _SHARE,
            None,
        ),
        ("wallet", "Makes and shows wallets.", _SETUP, None),
        ("network", "Shows and adds network profiles.", _SETUP, None),
        (
            "data",
            "Names the data that you train on; nothing of it is published.",
            _SETUP,
            None,
        ),
        ("privacy", "Shows what data sources have given away.", _SETUP, None),
        ("config", "Reads and changes settings.", _SETUP, None),
        ("demo", "Four hospitals, one model, start to report.", _PARTS, "demo"),
        (
            "pin",
            "Has pinning services keep commits on the IPFS network.",
            _PARTS,
            None,
        ),
        (
            "store",
            "Runs a store that others reach through one HTTPS port.",
            _PARTS,
            None,
        ),
        ("localnet", "Runs a chain of one's own on this machine.", _PARTS, "localnet"),
        ("program", "Deploys, sets up and shows the program on chain.", _SETUP, None),
    )
}
_PLUG_INS: Final[Mapping[str, Lazy]] = {
    "aggregator": Lazy(
        "flair_aggregator.cli:aggregator",
        "Merges updates: verifies, sums, moves the head.",
        _PARTS,
        "aggregator",
    ),
    "indexer": Lazy(
        "flair_indexer.cli:indexer",
        "Mirrors the chain into SQL and proves that nothing is missing.",
        _PARTS,
        "indexer",
    ),
    "web": Lazy(
        "flair_web.cli:web",
        "Serves the site: everything to see, signed in the reader's own wallet.",
        _PARTS,
        "web",
    ),
}


def shipped_commands() -> dict[str, Lazy]:
    """Gives the commands that Flair brings along, by name."""
    return {**BUILT_IN, **_PLUG_INS}


def all_commands() -> dict[str, Lazy]:
    """Gives every command by name, plug-ins last."""
    from importlib.metadata import entry_points

    commands = shipped_commands()
    for point in entry_points(group="flair.commands"):
        # A plug-in adds commands and never takes the place of another one.
        if point.name not in commands:
            commands[point.name] = Lazy(
                point.value, f"Plug-in {point.value}.", _PARTS, point.name
            )
    return commands
