"""What exists on chain of rounds, as the state machine's model keeps it."""

from dataclasses import dataclass, field

from program_harness.values import ACCEPTED, ACCUMULATED, OPEN, ZERO


@dataclass(slots=True)
class Update:
    """An update that exists on chain."""

    weight: int
    commit: bytes
    payer: str
    deposit: int
    signer: str
    status: int = ACCEPTED


@dataclass(slots=True)
class Candidate:
    """A proposed merge that exists on chain."""

    payer: str
    proposed_at: int
    proposer: str
    epoch: int
    # Epochs of the authorities that approved it, and who attested it under which.
    approved: set[int] = field(default_factory=set)
    attested: set[tuple[int, str]] = field(default_factory=set)

    def votes(self, epoch: int) -> tuple[int, int]:
        """Approvals and attestations that count under this epoch's authority."""
        attested = sum(at == epoch for at, _ in self.attested)
        return int(epoch in self.approved), attested


@dataclass(slots=True)
class Policy:
    """The numbers that decide over rounds."""

    min_updates: int
    max_updates: int
    length: int
    grace: int
    challenge: int
    deposit: int
    eta: int
    is_invited: bool
    approvals: int = 0
    attestations: int = 0


@dataclass(slots=True)
class Round:
    """A round, with what hangs on it."""

    policy: Policy
    policy_index: int
    base: bytes
    base_seq: int
    deadline: int
    payer: str
    state: int = OPEN
    closed_at: int = 0
    exists: bool = True
    root: bytes = ZERO
    added: list[tuple[int, bytes]] = field(default_factory=list)
    points_each: int = 0
    # As the account counts them: what expires or settles is not taken out again.
    n_accepted: int = 0
    sum: int = 0
    settled: int = 0
    updates: dict[str, Update] = field(default_factory=dict)
    # In the order in which they were proposed.
    candidates: dict[bytes, Candidate] = field(default_factory=dict)
    # Who paid, by commit, epoch and attester; they outlive their candidate.
    attestations: dict[tuple[bytes, int, str], str] = field(default_factory=dict)
    n_withdrawn: int = 0

    @property
    def accepted(self) -> list[Update]:
        """Updates that the merge must take."""
        return [
            update
            for update in self.updates.values()
            if update.status in (ACCEPTED, ACCUMULATED)
        ]

    @property
    def weight_sum(self) -> int:
        """A, the weights of accepted updates."""
        return sum(update.weight for update in self.accepted)


@dataclass(slots=True)
class Branch:
    """A branch with all rounds that it ever had."""

    head: bytes
    policy_index: int = 0
    seq: int = 1
    index: int = 1
    live: bool = False
    protected: bool = False
    rounds: dict[int, Round] = field(default_factory=dict)

    def is_live(self, index: int) -> bool:
        """Whether a round is the one in progress."""
        return self.live and self.index == index

    def end(self) -> None:
        """Ends the live round."""
        self.live = False
        self.index += 1
