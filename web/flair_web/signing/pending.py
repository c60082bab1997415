"""Plans that were handed out and wait for their signatures, in memory and bounded.

A plan belongs to one session: nobody else can refresh it, send it, or look at it.
"""

import secrets
import shutil
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from flair_client.chain.instructions import Instruction
from flair_client.errors import Refused
from flair_client.ids import Address
from flair_client.objects import Commit
from flair_client.store.base import Store
from flair_web.signing.action import Action, Form

LIFETIME_S: Final = 3600
_MAX_PLANS: Final = 512
_MAX_OF_SESSION: Final = 8


@dataclass
class PendingPlan:
    """A plan and how far it is.

    Attributes:
        owner: name of the session.
        instructions: empty until the commit is signed, where there is one.
        message: the bytes handed out last.
        last_valid_height: of its blockhash.
        written: blocks that go into the store when the transaction is sent.
        folder: of those blocks, where they may be many; removed with the plan.
        commit: that the wallet signs first.
        signature: of the transaction, once it was sent.
        published: whether its events are in the store.
    """

    owner: str
    wallet: Address
    action: Action
    form: Form
    made_at: int
    written: Store
    name: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    instructions: tuple[Instruction, ...] = ()
    message: bytes = b""
    last_valid_height: int = 0
    folder: Path | None = None
    commit: Commit | None = None
    signature: str | None = None
    published: bool = False

    def __post_init__(self) -> None:
        """Sees to it that the folder does not outlive the plan, or the process."""
        self._remove = None
        if self.folder is not None:
            self._remove = weakref.finalize(self, _remove_folder, self.folder)

    def forget(self) -> None:
        """Removes what it kept on disk."""
        if self._remove is not None:
            self._remove()


def _remove_folder(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)


class PendingPlans:
    """All plans; the oldest go first."""

    def __init__(self, now: Callable[[], int]) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._plans: OrderedDict[str, PendingPlan] = OrderedDict()

    def keep(self, plan: PendingPlan) -> None:
        """Keeps a plan until it is over an hour old, or newer ones take its place."""
        with self._lock:
            self._plans[plan.name] = plan
            own = [one for one in self._plans.values() if one.owner == plan.owner]
            late = self._now() - LIFETIME_S
            over = [one for one in self._plans.values() if one.made_at < late]
            over += own[:-_MAX_OF_SESSION]
            over += list(self._plans.values())[:-_MAX_PLANS]
            for one in over:
                if self._plans.pop(one.name, None) is not None:
                    one.forget()

    def find(self, name: str, owner: str) -> PendingPlan:
        """Gives a session's plan.

        Raises:
            Refused: it has no such plan, or no longer.
        """
        with self._lock:
            found = self._plans.get(name)
        if found is None or found.owner != owner:
            raise Refused("this was planned too long ago: begin again")
        return found
