"""What an action is: its form, what it needs, what it asks the wallet for, its end.

One file per action under `actions/`; the list is in `registry`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, TypeAlias

from flair_client.chain.accounts import Scope
from flair_client.chain.instructions import Instruction
from flair_client.errors import FlairError, ProgramRefused, UsageError
from flair_client.ids import Address, CommitId
from flair_client.objects import Commit
from flair_client.repo_address import RepoAddress
from flair_web.signing.planning import PlanningContext

FIELD_LIMIT: Final = 2_000
_DAY_S: Final = 86_400
_MAX_DAYS: Final = 36_500

Kind: TypeAlias = Literal["text", "number", "choice", "note", "hidden"]


@dataclass(frozen=True, slots=True)
class Field:
    """A field of an action's form.

    Attributes:
        kind: `hidden` ones are shown as text, and come from the page with the button.
        choices: value and words, for `choice`.
        optional: whether it may be left empty.
    """

    name: str
    label: str
    kind: Kind = "text"
    choices: tuple[tuple[str, str], ...] = ()
    default: str = ""
    hint: str = ""
    optional: bool = False


class Form:
    """The fields as they came; each is read as what it must be, or refused."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = dict(values)

    def text(self, name: str) -> str:
        """Gives a field that is there.

        Raises:
            UsageError: it is empty.
        """
        value = self._values.get(name, "")
        if not value:
            raise UsageError(f"the field {name!r} is empty")
        return value

    def maybe(self, name: str) -> str | None:
        """Gives a field, or None where it is empty."""
        return self._values.get(name) or None

    def whole(self, name: str, low: int = 0, high: int = 2**63 - 1) -> int:
        """Gives a whole number between two others.

        Raises:
            UsageError: it is none.
        """
        text = self.text(name)
        if not (text.isascii() and text.removeprefix("-").isdigit() and len(text) < 40):
            raise UsageError(f"the field {name!r} is a whole number")
        if not low <= int(text) <= high:
            raise UsageError(f"the field {name!r} is from {low} to {high}")
        return int(text)

    def days_s(self, name: str) -> int:
        """Gives a number of days as seconds."""
        return self.whole(name, 1, _MAX_DAYS) * _DAY_S

    def flag(self, name: str) -> bool:
        """Whether a choice between yes and no says yes."""
        return self._values.get(name) == "yes"

    def address(self, name: str) -> Address:
        """Gives an address.

        Raises:
            IdentifierInvalid: it is none.
        """
        return Address.parse(self.text(name))

    def commit(self, name: str = "commit") -> CommitId:
        """Gives a commit's whole id.

        Raises:
            IdentifierInvalid: it is none.
        """
        return CommitId.parse(self.text(name))

    def scope(self, name: str = "scope") -> Scope:
        """Gives rights by their words, with commas between.

        Raises:
            UsageError: no right is called that.
        """
        found = Scope(0)
        for word in self.text(name).replace(",", " ").split():
            if word.upper() not in Scope.__members__:
                raise UsageError(f"{word[:40]!r} is no right")
            found |= Scope[word.upper()]
        return found

    def repo(self, ctx: PlanningContext) -> RepoAddress:
        """Gives the repository, written CREATOR/NAME.

        Raises:
            IdentifierInvalid, UsageError: it is none.
        """
        creator, slash, name = self.text("repo").partition("/")
        if not slash:
            raise UsageError("a repository is written CREATOR/NAME")
        return RepoAddress(ctx.network.name, Address.parse(creator), name)


@dataclass(frozen=True, slots=True)
class Planned:
    """What the wallet is asked to sign.

    Attributes:
        lines: what will happen, a sentence each.
        back: when an account's rent comes back, by the account's name.
        deposit_lamports: goes with an update beside its rent, and comes back with it.
    """

    instructions: tuple[Instruction, ...]
    lines: tuple[str, ...] = ()
    back: Mapping[str, str] = field(default_factory=dict)
    deposit_lamports: int = 0


@dataclass(frozen=True, slots=True)
class Prepared:
    """A commit that the wallet signs before anything is sent.

    Attributes:
        commit: without its signature.
        lines: what it does, a sentence each.
    """

    commit: Commit
    lines: tuple[str, ...]


Plan: TypeAlias = Callable[[PlanningContext, Form], Planned]
# The folder is for a workspace of the plan's own; blocks go into the context's store.
Prepare: TypeAlias = Callable[[PlanningContext, Form, Path], Prepared]
Finish: TypeAlias = Callable[[PlanningContext, Form, Commit, CommitId], Planned]


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """Something that a wallet can do.

    Attributes:
        name: in addresses and in the page's own table.
        button: what the button says.
        does: one sentence.
        needs: what must hold before, a sentence each.
        refusals: what stands in the way, by the error's name, and what helps.
        end: how it stands afterwards.
        plan: makes the instructions; None where the wallet signs a commit first.
        prepare: makes that commit.
        slow: whether planning reads or makes weights; few do that at once.
        finish: makes the instructions for the commit, once it is signed.
    """

    name: str
    title: str
    button: str
    does: str
    needs: tuple[str, ...]
    refusals: Mapping[str, str] = field(default_factory=dict)
    end: str
    fields: tuple[Field, ...]
    plan: Plan | None = None
    prepare: Prepare | None = None
    finish: Finish | None = None
    slow: bool = False


def refusal_name(error: FlairError) -> str:
    """Gives a refusal's name: the program's own, or that of Python's class."""
    return error.name if isinstance(error, ProgramRefused) else type(error).__name__


REPO: Final = Field("repo", "Repository", "hidden")
BRANCH: Final = Field("branch", "Branch", "hidden")
ROUND: Final = Field("round", "Round", "hidden")
COMMIT: Final = Field("commit", "Commit", "hidden")
CONTRIBUTOR: Final = Field("contributor", "Contributor", "hidden")
ON_BRANCH: Final = Field(
    "branch", "Branch", hint="empty for the whole repository", optional=True
)
SCOPE_CHOICES: Final = (
    ("contribute", "contribute: push updates"),
    ("merge", "merge: propose merges"),
    ("attest", "attest: vouch for merges"),
)
