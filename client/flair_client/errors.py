"""Every error that Flair raises on purpose.

One file, although it is long: the tree is read as a whole, and new leaves are added to
it often.

* FlairError
    * IdentifierInvalid: a malformed address, digest, CID, name or repository address
    * UsageError: a command or function was called with arguments that cannot work
        * NetworkUnknown: no profile has this name
        * NotTrainable: the recipe names no model that Flair can train itself
        * OutputExists: a file that would be written is there already
        * DataSourceExists: there is a data source of this name already
        * DataHasName: a file is a data source already, by another name
        * ExtraMissing: a library that this needs is not installed; names it
        * RequirementsMissing: libraries that a recipe's code needs; names them
        * KuboMissing: the program of an IPFS node is not on this machine
        * ValidatorMissing: no program of a real Solana node is on this machine
        * NotStateDict: a PyTorch file holds something else than tensors by name
    * ObjectError: bytes that should be an object are not
        * ObjectInvalid: wrong shape, unknown field, not canonical; names the path
        * ObjectTooLarge: more than the limit, refused before memory is taken
        * CarInvalid: a CAR is broken, or holds what nobody asked for; names the place
            * CarCut: a CAR ends too early
        * SignatureInvalid: not signed by its author
        * TensorMismatch: another shape, dtype or name than the base; names both
            * ModelsDiffer: two models to merge have other tensors; names both
        * NotFinite: NaN or infinity in a tensor
        * OutOfRange: an integer leaves its range
        * NormExceeded: an update is longer than the policy allows
    * StoreError
        * BlockMissing: no store has the block
        * DigestMismatch: a block's bytes are not what its CID says
        * StoreFull: the disk is full
        * StoreUnavailable: the store does not answer
    * ChainError
        * RpcUnavailable: no answer, or too many requests after all retries
        * RpcTimeout: not confirmed in time
        * RpcRefused: the RPC refused the request; carries its code
        * SponsorUnavailable: the sponsor does not answer, or not sensibly
        * ClusterMismatch: another genesis hash or program than the profile pins
        * AccountInvalid: an account has the wrong owner, size, kind or contents
        * AccountMissing: no such account
        * ProgramRefused: the program refused an instruction; carries number and name
    * WalletError: wallet file missing, malformed, or readable by others
    * WorkspaceError
        * NotAWorkspace: no .flair folder here or above
        * WorkspaceLocked: another process works here
        * WorkspaceDamaged: blocks or files of the workspace are broken
        * TrustRequired: recipe, policy or authority changed since they were trusted
        * StaleBase: the branch moved since the work began
        * AlreadyPushed: this contributor's update of this round is on chain already
        * NotTrained: there is no update here that `flair train` made
        * RefUnknown: no such branch, tag, commit or prefix
        * TagExists: there is a tag of this name already
    * OutboxDamaged: an aggregator's notebook cannot be read; names the file
    * PinTimeout: a pinning service is not ready yet
    * DatabaseError: the indexer's database; carries its name without password
        * DatabaseUnavailable: the server is away, or its folder cannot be used
        * DatabaseTaken: another process writes it
        * DatabaseDamaged: no database of an indexer, or it cannot be read
        * DatabaseOutdated: made by another version; carries both revisions
        * DatabaseOfOther: it mirrors another cluster or program
    * NotSeparable: one contributor's term cannot be taken out of a merge
    * VerificationError: history, head or merge is wrong; names the first thing
        * CandidateInvalid: a proposed merge does not come out when it is made again
    * DataError: the training data cannot be used; names file, column or row
        * DataUnreadable: a file is not there, or may not be read
        * DataSourceMissing: no data source has this name
        * OneClass: the target is the same in all rows
    * NoSandbox: this machine cannot run code that is not trusted; tells why
    * RecipeFailed: a recipe's code raised, was stopped, or gave back nonsense
    * RecordDamaged: a file that is only ever appended to was changed; names the line
    * Refused: a rule of the policy or the site forbids it
        * SiteRefused: a rule of this site forbids it; names the rule
            * ApprovalMissing: the second person has not approved what would leave
        * BudgetSpent: a data source would give away more than it may
        * TooFewUpdates: fewer than a strategy's promise needs; names the bound
        * InviteGone: an invite is used up, revoked, or was never made
        * RequestWaits: the wallet has asked to join already
        * NotDelegated: the wallet has not delegated to this key here
        * NoSponsor: the repository has no sponsor, or another than is asked
        * PinRefused: a pinning service does not do what is asked; carries its status
        * PinFailed: a pinning service could not get what it was to pin
        * UploadRefused: a served store does not take an upload; carries its reason
        * SponsorRefused: the sponsor does not sign this; carries its reason
            * SponsorForesees: since it would fail on chain
"""

from typing import Any


class FlairError(Exception):
    """Root of the tree."""


class IdentifierInvalid(FlairError):
    """An address, digest, CID, name or repository address is malformed."""

    def __init__(self, kind: str, text: str, reason: str) -> None:
        super().__init__(f"{text!r} is not a valid {kind}: {reason}")
        self.kind = kind
        self.text = text
        self.reason = reason


class UsageError(FlairError):
    """Arguments that cannot work together or at all."""


class NetworkUnknown(UsageError):
    """No network profile has this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"network {name!r} has no profile")
        self.name = name


class NotTrainable(UsageError):
    """The recipe names no model that Flair can train itself."""


class OutputExists(UsageError):
    """A file that would be written is there already."""


class ExtraMissing(UsageError):
    """A library that this needs is not installed, or too old.

    Attributes:
        extra: the part of Flair that brings it along.
    """

    def __init__(self, extra: str, reason: str) -> None:
        super().__init__(f"this needs {extra}, which {reason}")
        self.extra = extra


class RequirementsMissing(UsageError):
    """Libraries that a recipe's code needs are not installed.

    Attributes:
        names: as the recipe pins them.
        pip: the command that installs them.
    """

    def __init__(self, names: list[str], pip: str) -> None:
        super().__init__(f"the recipe needs what is not installed: {', '.join(names)}")
        self.names = names
        self.pip = pip


class KuboMissing(UsageError):
    """Kubo's program is not on this machine, or not where a setting says."""


class ValidatorMissing(UsageError):
    """There is no `solana-test-validator` here, or not where a setting says."""


class NotStateDict(UsageError):
    """A PyTorch file holds something else than tensors by name."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name} {reason} instead of a state dict")
        self.name = name


class ObjectError(FlairError):
    """Bytes that should be an object are not."""


class ObjectInvalid(ObjectError):
    """Wrong shape, unknown field or not canonical.

    Attributes:
        path: where, as `commit.parents[1]`.
    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class ObjectTooLarge(ObjectError):
    """More bytes than allowed; refused before memory is taken."""

    def __init__(self, path: str, size: int, limit: int) -> None:
        super().__init__(f"{path}: {size} bytes, at most {limit} are allowed")
        self.path = path
        self.size = size
        self.limit = limit


class CarInvalid(ObjectError):
    """A CAR is broken, incomplete, or holds what nobody asked for.

    Attributes:
        where: the place in it, as `byte 59` or `header`.
    """

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(f"CAR, {where}: {reason}")
        self.where = where
        self.reason = reason


class CarCut(CarInvalid):
    """A CAR ends within a block, or before everything in it has come."""


class SignatureInvalid(ObjectError):
    """A commit is not signed by the author that it names."""


class TensorMismatch(ObjectError):
    """A tensor is missing, unknown, or of another shape or dtype."""

    def __init__(self, name: str, expected: str, actual: str) -> None:
        super().__init__(f"tensor {name!r}: expected {expected}, got {actual}")
        self.name = name
        self.expected = expected
        self.actual = actual


class ModelsDiffer(TensorMismatch):
    """Models that are to be merged have other tensors, ties or integers."""


class NotFinite(ObjectError):
    """A tensor holds NaN or infinity; `where` says of which of several models."""

    def __init__(self, name: str, n_bad: int, where: str = "") -> None:
        place = f" in {where}" if where else ""
        super().__init__(f"tensor {name!r}{place}: {n_bad} values are not finite")
        self.name = name
        self.n_bad = n_bad


class OutOfRange(ObjectError):
    """An integer leaves the range of its type or policy."""


class NormExceeded(ObjectError):
    """An update is longer than the policy allows (squared, in delta units)."""

    def __init__(self, norm_sq: int, bound_sq: int) -> None:
        super().__init__(f"squared norm {norm_sq} is above the policy's {bound_sq}")
        self.norm_sq = norm_sq
        self.bound_sq = bound_sq


class StoreError(FlairError):
    """The store failed."""


class BlockMissing(StoreError):
    """No store has the block."""

    def __init__(self, cid: Any) -> None:
        super().__init__(f"block {cid} is missing")
        self.cid = cid


class DigestMismatch(StoreError):
    """A block's bytes are not what its CID says."""

    def __init__(self, cid: Any, actual: str) -> None:
        super().__init__(f"block {cid} is corrupt: its bytes have digest {actual}")
        self.cid = cid
        self.actual = actual


class StoreFull(StoreError):
    """The disk is full."""


class StoreUnavailable(StoreError):
    """The store does not answer."""


class ChainError(FlairError):
    """The chain or its RPC failed."""


class RpcUnavailable(ChainError):
    """No answer, or too many requests, after all retries."""


class RpcTimeout(ChainError):
    """Not confirmed in time."""


class RpcRefused(ChainError):
    """The RPC refused the request; `data` is what it added, unchecked."""

    def __init__(self, method: str, code: int, message: str, data: Any = None) -> None:
        super().__init__(f"{method}: {message} ({code})")
        self.data = data
        self.method = method
        self.code = code
        self.message = message


class SponsorUnavailable(ChainError):
    """The sponsor does not answer, or not as a sponsor does."""


class ClusterMismatch(ChainError):
    """The RPC belongs to another cluster, or has another program, than pinned."""


class AccountInvalid(ChainError):
    """An account is not what it must be."""

    def __init__(self, address: Any, reason: str) -> None:
        super().__init__(f"account {address}: {reason}")
        self.address = address
        self.reason = reason


class AccountMissing(ChainError):
    """No such account.

    Attributes:
        address: where it would be.
        kind: what it would be, as `repo`.
        name: what people call it; None where nobody knows.
    """

    def __init__(self, address: Any, kind: str, name: object = None) -> None:
        place = f"at {address}" if name is None else f"{name}"
        super().__init__(f"there is no {kind} {place}")
        self.address = address
        self.kind = kind
        self.name = name


class ProgramRefused(ChainError):
    """The program refused an instruction.

    Attributes:
        number: the program's error number, or None where the runtime refused.
        name: its name in docs/protocol.md, or the runtime's words.
    """

    def __init__(self, number: int | None, name: str, message: str) -> None:
        super().__init__(message)
        self.number = number
        self.name = name


class WalletError(FlairError):
    """A wallet file is missing, malformed, or readable by others."""


class WorkspaceError(FlairError):
    """The workspace does not allow this."""


class NotAWorkspace(WorkspaceError):
    """There is no .flair folder here or above."""


class WorkspaceLocked(WorkspaceError):
    """Another process works in this workspace."""


class WorkspaceDamaged(WorkspaceError):
    """Blocks or files of the workspace are broken or missing."""


class TrustRequired(WorkspaceError):
    """Recipe, policy or authority are not trusted, or changed since."""


class StaleBase(WorkspaceError):
    """The branch moved since the work began."""


class AlreadyPushed(WorkspaceError):
    """This contributor's update of this round is on chain already."""


class NotTrained(WorkspaceError):
    """There is no update here that `flair train` made."""


class RefUnknown(WorkspaceError):
    """No such branch, tag, commit or prefix."""


class TagExists(WorkspaceError):
    """There is a tag of this name already."""


class OutboxDamaged(FlairError):
    """An aggregator's notebook cannot be read."""

    def __init__(self, path: Any, reason: str) -> None:
        super().__init__(f"outbox {path} cannot be read: {reason}")
        self.path = path


class DatabaseError(FlairError):
    """The indexer's database cannot be used.

    Attributes:
        name: its URL without the password.
        reason: in the words of the database.
    """

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"database {name}: {reason}")
        self.name = name
        self.reason = reason


class DatabaseUnavailable(DatabaseError):
    """The server is away, or the folder cannot be used; later it may work."""


class DatabaseTaken(DatabaseError):
    """Another process writes it."""


class DatabaseDamaged(DatabaseError):
    """It is no database of an indexer, or it cannot be read."""


class DatabaseOutdated(DatabaseError):
    """Another version of Flair made its tables.

    Attributes:
        found: its revision; None where there are no tables.
        wanted: this version's.
    """

    def __init__(self, name: str, found: str | None, wanted: str) -> None:
        made = "has no tables yet" if found is None else f"has revision {found}"
        super().__init__(name, f"{made}, {wanted} is needed")
        self.found = found
        self.wanted = wanted


class DatabaseOfOther(DatabaseError):
    """It mirrors another cluster or program."""


class NotSeparable(FlairError):
    """One contributor's term cannot be taken out of a merge."""


class VerificationError(FlairError):
    """History, head or merge does not check.

    Attributes:
        where: the first thing that is wrong, as `commit 1f2e…` or `event 17`.
    """

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(f"{where}: {reason}")
        self.where = where
        self.reason = reason


class CandidateInvalid(VerificationError):
    """A proposed merge is not what its updates give."""


class DataError(FlairError):
    """The training data cannot be used."""


class DataUnreadable(DataError):
    """A data file is not there, or may not be read."""


class DataSourceMissing(DataError):
    """No data source has this name."""


class DataSourceExists(UsageError):
    """There is a data source of this name already."""


class DataHasName(UsageError):
    """A file is a data source already; carries its `name`."""

    def __init__(self, path: Any, name: str) -> None:
        super().__init__(f"{path} has the name {name!r} already")
        self.name = name


class OneClass(DataError):
    """The target is the same in all rows."""


class NoSandbox(FlairError):
    """This machine cannot run code that is not trusted.

    Attributes:
        reason: what the system refused.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"no sandbox can be made here: {reason}")
        self.reason = reason


class RecipeFailed(FlairError):
    """A recipe's code raised, was stopped at a limit, or gave back nonsense."""


class Refused(FlairError):
    """A rule of the policy or the site forbids it."""


class SiteRefused(Refused):
    """A rule of this site forbids it.

    Attributes:
        rule: its name, as `limits.min_rows`.
    """

    def __init__(self, rule: str, reason: str) -> None:
        super().__init__(f"{reason} ({rule})")
        self.rule = rule


class ApprovalMissing(SiteRefused):
    """The second person has not approved what would leave."""


class BudgetSpent(Refused):
    """A data source would give away more than it may.

    Attributes:
        source: its name.
        spent: epsilon of the updates so far.
        wanted: epsilon with this update.
        limit: the most that it may be.
    """

    def __init__(self, source: str, spent: float, wanted: float, limit: float) -> None:
        super().__init__(
            f"data source {source!r} has spent epsilon {spent:.4g} of {limit:.4g}, "
            f"with this update it would be {wanted:.4g}"
        )
        self.source = source
        self.spent = spent
        self.wanted = wanted
        self.limit = limit


class TooFewUpdates(Refused):
    """Fewer updates than what a strategy promises needs.

    Attributes:
        strategy: its id.
        n_updates: how many there are.
        n_needed: how many it takes.
    """

    def __init__(
        self, strategy: str, n_updates: int, n_needed: int, bound: str
    ) -> None:
        super().__init__(
            f"strategy {strategy!r} needs at least {n_needed} updates "
            f"({bound}), there are {n_updates}"
        )
        self.strategy = strategy
        self.n_updates = n_updates
        self.n_needed = n_needed


class InviteGone(Refused):
    """An invite is used up, revoked, or was never made."""


class RequestWaits(Refused):
    """The wallet has asked to join already, and nobody has answered yet."""


class NotDelegated(Refused):
    """The wallet has not delegated to this key in this repository."""


class NoSponsor(Refused):
    """The repository has no sponsor, or another than is asked."""


class PinRefused(Refused):
    """A pinning service does not do what it is asked.

    Attributes:
        status: of its answer.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class PinFailed(Refused):
    """A pinning service could not get the blocks that it was to keep."""


class PinTimeout(FlairError):
    """A pinning service has not got all blocks in the time that it was waited for.

    Attributes:
        request_id: by which it can be asked again.
    """

    def __init__(self, request_id: str, state: str) -> None:
        super().__init__(f"pin {request_id} is still {state}")
        self.request_id = request_id


class UploadRefused(Refused):
    """A served store does not take what is sent to it.

    Attributes:
        code: `stranger`, `quota`, `replayed`, `expired`, `signature`, …
    """

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class SponsorRefused(Refused):
    """The sponsor does not sign this transaction.

    Attributes:
        code: the rule, as `cap` or `instruction`.
    """

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class SponsorForesees(SponsorRefused):
    """The sponsor does not sign what would fail on chain."""


class RecordDamaged(FlairError):
    """A file that is only ever appended to was changed.

    Attributes:
        path: the file.
        line: the first wrong line, from 1.
    """

    def __init__(self, path: Any, line: int, reason: str) -> None:
        super().__init__(f"{path}: line {line} {reason}")
        self.path = path
        self.line = line
