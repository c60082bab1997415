"""Repositories, rounds and updates in any state.

Everybody has another wallet: whoever pays rent never acts, so that no test passes only
because two roles fall together.
"""

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any, Self

from program_harness.acts import config_create, repo_create
from program_harness.call import CONFIG
from program_harness.chain import Chain
from program_harness.values import PARAMS, ROOT, digest, ordered
from program_harness.votes import Votes


class Place(Votes):
    """A branch of a repository, its states, and calls that act on it."""

    __slots__ = ()

    # States, each reached from the one before.

    def created(self) -> Self:
        """A repository with its policy and branch, without a head."""
        chain = self.chain
        if not chain.exists(CONFIG):
            chain.send(config_create(chain))
        if not chain.exists(self.repo):
            chain.send(repo_create(chain, self.name))
        if not chain.exists(self.policy):
            chain.send(self.policy_create())
        chain.send(self.branch_create())
        return self

    def rooted(self) -> Self:
        """A branch with its first head."""
        self.created()
        self.chain.send(self.branch_advance(ROOT, digest("root")))
        return self

    def opened(self, weights: Mapping[str, int] | Sequence[str] = ()) -> Self:
        """A live round with updates; from `rooted` where there is no branch yet."""
        if not self.chain.exists(self.branch):
            self.rooted()
        self.chain.send(self.round_open())
        for who in weights:
            weight = weights[who] if isinstance(weights, Mapping) else 1
            self.chain.send(self.update_push(who, weight=weight))
        return self

    def closed(self, weights: Mapping[str, int] | Sequence[str] = ("a", "b")) -> Self:
        """A closed round with updates."""
        self.opened(weights)
        self.chain.wait(self.params["round_length_s"])
        self.chain.send(self.round_close())
        return self

    def accumulated(
        self, weights: Mapping[str, int] | Sequence[str] = ("a", "b")
    ) -> Self:
        """A closed round whose updates are all added."""
        self.closed(weights)
        self.chain.send(self.merge_accumulate(ordered(weights)))
        return self

    def proposed(self, weights: Mapping[str, int] | Sequence[str] = ("a", "b")) -> Self:
        """An accumulated round with a candidate whose challenge time has passed."""
        self.accumulated(weights)
        self.chain.send(self.merge_propose())
        self.chain.wait(self.params["challenge_s"])
        return self

    def merged(self, weights: Mapping[str, int] | Sequence[str] = ("a", "b")) -> Self:
        """A merged round, nothing settled yet."""
        self.proposed(weights)
        self.chain.send(self.merge_finalize())
        return self

    def round_state(self, index: int | None = None) -> SimpleNamespace:
        """Fields of a round."""
        return self.chain.read(
            self.find_round(self.round_index if index is None else index)
        )


def make_place(**changes: Any) -> Place:
    """A branch on a fresh chain; nothing exists yet."""
    params = PARAMS | changes.pop("params", {})
    return Place(changes.pop("chain", None) or Chain(), params=dict(params), **changes)
