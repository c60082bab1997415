"""Errors for people: exit code, sentence and what to do next.

Commands never catch a FlairError; they all end here. docs/exit-codes.md explains the
codes.
"""

import errno
import re
from collections.abc import Container
from dataclasses import dataclass, replace
from typing import Final

import click

from flair_client import errors
from flair_client.cli.exits import (
    INTEGRITY,
    INTERNAL,
    INTERRUPTED,
    NEGATIVE,
    NETWORK,
    TIMEOUT,
    USAGE,
)
from flair_client.cli.program_remedies import PROGRAM


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended.

    Attributes:
        exit_code: of the process.
        error_code: the error's name, for programs.
        message: one sentence.
        hint: what to try next.
    """

    exit_code: int
    error_code: str | None
    message: str
    hint: str | None = None


# The nearest class in the tree counts.
_TABLE: Final[dict[type[BaseException], tuple[int, str | None]]] = {
    errors.FlairError: (NEGATIVE, None),
    errors.IdentifierInvalid: (USAGE, None),
    errors.UsageError: (USAGE, None),
    errors.NetworkUnknown: (
        USAGE,
        "`flair localnet` starts and writes localnet; see `flair network list`",
    ),
    errors.NotTrainable: (
        USAGE,
        "train with a program of your own, then `flair commit --weights FILE`",
    ),
    errors.OutputExists: (USAGE, "--force replaces it, -o names another file"),
    errors.ExtraMissing: (USAGE, "pip install 'flair-hub[{extra}]'"),
    errors.RequirementsMissing: (
        USAGE,
        "nothing is installed by itself; where you trust them: {pip}",
    ),
    errors.KuboMissing: (
        USAGE,
        "`scripts/install-kubo` builds it; or `flair config set kubo.program FILE`",
    ),
    errors.ValidatorMissing: (
        USAGE,
        (
            "`scripts/install-validator` builds it; or `flair config set"
            " validator.program FILE`"
        ),
    ),
    errors.NotStateDict: (
        USAGE,
        "where the model is, torch.save(model.state_dict(), FILE), and give that file",
    ),
    errors.ObjectError: (INTEGRITY, None),
    errors.CarInvalid: (
        INTEGRITY,
        "do not use this file; ask whoever has the model for another CAR of it",
    ),
    errors.SignatureInvalid: (INTEGRITY, "do not use this commit; ask its author"),
    errors.TensorMismatch: (
        INTEGRITY,
        "train from the base of this round: `flair pull`, then `flair train`",
    ),
    errors.ModelsDiffer: (
        INTEGRITY,
        "only models with the same tensors can be merged; `flair diff A B` lists them",
    ),
    errors.NotFinite: (
        INTEGRITY,
        "train again with a smaller learning rate, or look at the data",
    ),
    errors.NormExceeded: (INTEGRITY, "commit again; `flair commit` clips to the norm"),
    errors.StoreError: (NETWORK, None),
    errors.BlockMissing: (
        INTEGRITY,
        "`flair fsck` lists what is missing; fetch it from whoever has it",
    ),
    errors.DigestMismatch: (
        INTEGRITY,
        "the corrupt block was put aside; run the command again, or `flair fsck`",
    ),
    errors.StoreFull: (NEGATIVE, "make room on the disk and run the command again"),
    errors.StoreUnavailable: (
        NETWORK,
        "check the store of the network: `flair network show`",
    ),
    errors.ChainError: (NETWORK, None),
    errors.RpcUnavailable: (
        NETWORK,
        "check the network: `flair network show`; or start one: `flair localnet`",
    ),
    errors.RpcTimeout: (
        TIMEOUT,
        "run the command again: what was confirmed meanwhile is not done twice",
    ),
    errors.ClusterMismatch: (
        NETWORK,
        "`flair network show` tells what is pinned; `--network` chooses another",
    ),
    errors.AccountMissing: (NEGATIVE, "check the address and `--network`"),
    errors.WalletError: (
        NETWORK,
        "`flair wallet new` makes one, `--wallet` chooses one; see `flair wallet list`",
    ),
    errors.WorkspaceError: (NEGATIVE, None),
    errors.NotAWorkspace: (
        USAGE,
        "go to a workspace, or make one with `flair init` or `flair clone`",
    ),
    errors.WorkspaceLocked: (NEGATIVE, "wait for the other command to end"),
    errors.WorkspaceDamaged: (
        INTEGRITY,
        "`flair fsck --repair` fetches what the shared store has, then `flair pull`",
    ),
    errors.TrustRequired: (
        NEGATIVE,
        "look at what changed and accept it with `flair trust`",
    ),
    errors.StaleBase: (
        NEGATIVE,
        "`flair pull`, then `flair train` and `flair commit` again",
    ),
    errors.AlreadyPushed: (
        NEGATIVE,
        "wait for the next round, or take it back with `flair update withdraw`",
    ),
    errors.NotTrained: (
        NEGATIVE,
        "`flair train` makes one; for a file made elsewhere `flair commit --weights`",
    ),
    errors.RefUnknown: (
        NEGATIVE,
        "see `flair log`, `flair tag` and `flair branch list`",
    ),
    errors.TagExists: (NEGATIVE, "--force moves it; or choose another name"),
    errors.OutboxDamaged: (
        INTEGRITY,
        "move the file away and start again; the chain tells where each round stands",
    ),
    errors.DatabaseError: (NETWORK, None),
    errors.DatabaseUnavailable: (
        NETWORK,
        "start the database, or name another one with --database",
    ),
    errors.DatabaseTaken: (
        NEGATIVE,
        "one indexer is enough: `flair indexer status`; end the other one first",
    ),
    errors.DatabaseDamaged: (
        INTEGRITY,
        "move it away; `flair indexer run` makes a new one from the chain",
    ),
    errors.DatabaseOutdated: (NEGATIVE, "`flair indexer migrate`"),
    errors.DatabaseOfOther: (
        NETWORK,
        "name another database, or begin this one anew with `flair indexer rebuild`",
    ),
    errors.NotSeparable: (NEGATIVE, "revert the whole merge instead, or try --replay"),
    errors.VerificationError: (
        INTEGRITY,
        (
            "do not use this head; `flair verify` shows how far the history holds, "
            "and the owner leaves it behind with `flair revert`"
        ),
    ),
    errors.CandidateInvalid: (
        INTEGRITY,
        (
            "do not sign it, and tell its proposer; `flair candidate list` shows "
            "whether there is another one"
        ),
    ),
    errors.DataError: (NEGATIVE, "correct the data or give another file"),
    errors.DataUnreadable: (
        USAGE,
        "check the path; data that was moved: `flair data add NAME … --force`",
    ),
    errors.DataSourceMissing: (
        NEGATIVE,
        "`flair data list` shows the names, `flair data add` makes one",
    ),
    errors.DataSourceExists: (
        USAGE,
        "--force lets the name mean this from now on; or choose another name",
    ),
    errors.DataHasName: (
        USAGE,
        "use that name; or forget it first: `flair data remove {name}`",
    ),
    errors.OneClass: (NEGATIVE, "--allow-one-class trains on them all the same"),
    errors.RecordDamaged: (
        INTEGRITY,
        "keep the file for whoever looks into it; moved away, a new one is begun",
    ),
    errors.NoSandbox: (
        NEGATIVE,
        (
            "install bubblewrap (bwrap), or allow user namespaces; --no-sandbox runs "
            "the recipe's code as if it were your own"
        ),
    ),
    errors.RecipeFailed: (
        NEGATIVE,
        "run the command again to go on from the last checkpoint; tell the owner",
    ),
    errors.Refused: (NEGATIVE, None),
    errors.SiteRefused: (NEGATIVE, "ask whoever keeps /etc/flair/site.toml"),
    errors.ApprovalMissing: (
        NEGATIVE,
        "the second person looks with `flair outbox` and signs with --approve",
    ),
    errors.InviteGone: (NEGATIVE, "ask whoever sent the link for a new one"),
    errors.RequestWaits: (
        NEGATIVE,
        "wait for the owner's answer; `flair request close` withdraws it",
    ),
    errors.NotDelegated: (
        NEGATIVE,
        "with the wallet itself: `flair delegate create --to KEY --expires 90d`",
    ),
    errors.NoSponsor: (
        NEGATIVE,
        (
            "ask the owner, who names one with `flair sponsor set`; or pay yourself: "
            "`flair config unset sponsor.url --local`"
        ),
    ),
    errors.PinRefused: (
        NEGATIVE,
        "check the token and the account at the service; `flair pin list` shows pins",
    ),
    errors.PinFailed: (
        NEGATIVE,
        (
            "the service has to reach a node that has the blocks: "
            "`flair fsck --remote`, then `flair pin add` again"
        ),
    ),
    errors.PinTimeout: (TIMEOUT, "`flair pin watch {request_id}` waits on"),
    errors.UploadRefused: (
        NEGATIVE,
        (
            "ask the owner for a role (`flair role grant`), or whoever runs the store "
            "for a larger quota"
        ),
    ),
    errors.SponsorRefused: (
        NEGATIVE,
        (
            "wait until tomorrow where a cap is reached, ask whoever runs the sponsor, "
            "or pay yourself: `flair config unset sponsor.url --local`"
        ),
    ),
    errors.SponsorForesees: (
        NEGATIVE,
        "do what the sentence asks for, then run the command again",
    ),
    errors.SponsorUnavailable: (
        NETWORK,
        "check its URL: `flair config get sponsor.url`; or ask whoever runs it",
    ),
    errors.TooFewUpdates: (
        NEGATIVE,
        "raise --min-updates, or promise less with `--strategy-param f=…`",
    ),
    errors.BudgetSpent: (
        NEGATIVE,
        "see `flair privacy show`; more noise, a smaller --epsilon, costs less",
    ),
}

_COMMAND_IN_HINT: Final = re.compile(r"`flair ([a-z][a-z-]*)")
_BUG_HINT: Final = "this is a bug in Flair; run again with --verbose and report it"


# Where to look for what is not there, by its kind.
_LISTS: Final[dict[str, str]] = {
    "branch": "see `flair branch list`",
    "policy": "see `flair policy list`",
    "round": "see `flair round list`",
    "update": "see `flair update list`",
    "role": "see `flair role list`",
    "invite": "see `flair invite list`",
    "delegation": "see `flair delegate list`",
    "request": "see `flair request list`",
}
# What a sponsor foresees ends with the program's name and number of the error.
_FORESEEN: Final = re.compile(r"\(([A-Za-z]+), [0-9]+\)$")


def outcome_of(error: BaseException) -> Outcome:  # noqa: PLR0911 - one per family
    """Tells how a command ends that raised this."""
    if isinstance(error, errors.ProgramRefused):
        return _program_outcome(error)
    if isinstance(error, errors.WalletError):
        return _wallet_outcome(error)
    if isinstance(error, errors.FlairError):
        for kind in type(error).__mro__:
            if kind in _TABLE:
                code, hint = _TABLE[kind]
                # A hint may name what the error holds.
                told = hint and hint.format_map(vars(error))
                told = _nearer_hint(error) or told
                return Outcome(code, type(error).__name__, str(error), told)
    if isinstance(error, click.UsageError):
        return _usage_outcome(error)
    if isinstance(error, click.ClickException):
        return Outcome(USAGE, type(error).__name__, error.format_message())
    if isinstance(error, KeyboardInterrupt | click.Abort):
        return Outcome(
            INTERRUPTED, "Interrupted", "interrupted", "run the command again to go on"
        )
    if isinstance(error, OSError):
        return _system_outcome(error)
    message = f"internal error: {type(error).__name__}: {error}"
    return Outcome(INTERNAL, "InternalError", message, _BUG_HINT)


def with_known_commands(outcome: Outcome, known: Container[str]) -> Outcome:
    """Leaves a hint out that sends people to a command that is not there."""
    named = _COMMAND_IN_HINT.findall(outcome.hint or "")
    if all(name in known for name in named):
        return outcome
    return replace(outcome, hint=None)


def _nearer_hint(error: errors.FlairError) -> str | None:
    if isinstance(error, errors.AccountMissing):
        return _LISTS.get(error.kind)
    if isinstance(error, errors.SponsorForesees):
        found = _FORESEEN.search(str(error))
        return None if found is None else PROGRAM.get(found[1], (0, None))[1]
    return None


def _program_outcome(error: errors.ProgramRefused) -> Outcome:
    code, hint = PROGRAM.get(error.name, (NETWORK, None))
    name = "ProgramRefused" if error.number is None else error.name
    if "insufficient" in str(error).lower():
        hint = (
            "see `flair wallet balance`; on a test network `flair wallet airdrop`; "
            "where a sponsor pays: `flair config set sponsor.url URL`"
        )
    return Outcome(code, name, str(error), hint)


def _wallet_outcome(error: errors.WalletError) -> Outcome:
    code, hint = _TABLE[errors.WalletError]
    message = str(error)
    if "readable by others" in message:
        hint = "chmod 600 it; if anyone may have read it, make a new wallet"
    elif "exists already" in message:
        code, hint = NEGATIVE, "choose another name; an old wallet is never replaced"
    return Outcome(code, "WalletError", message, hint)


def _usage_outcome(error: click.UsageError) -> Outcome:
    message = error.format_message().rstrip(".")
    hint = None
    if error.ctx is not None:
        hint = f"`{error.ctx.command_path} --help` shows how it is used"
    return Outcome(USAGE, "UsageError", message[:1].lower() + message[1:], hint)


def _system_outcome(error: OSError) -> Outcome:
    where = f"{error.filename}: " if error.filename else ""
    message = f"{where}{error.strerror or error}"
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        code, hint = _TABLE[errors.StoreFull]
        return Outcome(code, "StoreFull", message, hint)
    named = (
        FileNotFoundError,
        FileExistsError,
        PermissionError,
        IsADirectoryError,
        NotADirectoryError,
    )
    if isinstance(error, named):
        return Outcome(USAGE, type(error).__name__, message, "check the path")
    if isinstance(error, ConnectionError | TimeoutError):
        return Outcome(NETWORK, type(error).__name__, message)
    return Outcome(INTERNAL, type(error).__name__, message, _BUG_HINT)
