"""What to do about each refusal of the program, by the name in docs/protocol.md."""

from collections.abc import Mapping
from typing import Final

from flair_client.cli.exits import INTEGRITY, NEGATIVE, NETWORK, USAGE

# Name → exit code and remedy.
PROGRAM: Final[Mapping[str, tuple[int, str]]] = {
    "NotAuthority": (NETWORK, "sign with the owner's wallet: --wallet"),
    "RoleMissing": (NETWORK, "ask the owner for a role: `flair role grant`"),
    "RoleExpired": (NETWORK, "ask the owner to grant the role again"),
    "RoleVoid": (NETWORK, "ask the new owner to grant the role again"),
    "RoleScope": (NETWORK, "ask the owner for a role that has this right"),
    "ProtectedBranch": (NETWORK, "sign with the owner's wallet: --wallet"),
    "NotUpgradeAuthority": (NETWORK, "sign with the program's upgrade authority"),
    "Paused": (NEGATIVE, "try later; `flair program show` tells what is paused"),
    "HeadMoved": (NEGATIVE, "`flair pull` and try again"),
    "HeadUnset": (
        NEGATIVE,
        "the branch needs a root commit first; see `flair branch list`",
    ),
    "RoundInProgress": (NEGATIVE, "see `flair round show`"),
    "RoundNotLive": (NEGATIVE, "see `flair round show`"),
    "RoundClosed": (NEGATIVE, "wait for the next round; see `flair round show`"),
    "RoundNotClosed": (NEGATIVE, "see `flair round show`; `flair round close`"),
    "RoundNotReady": (NEGATIVE, "see `flair round show` for updates and deadline"),
    "RoundNotAbortable": (NEGATIVE, "see `flair round show` for the deadline"),
    "RoundFull": (NEGATIVE, "wait for the next round"),
    "StaleBase": (NEGATIVE, "`flair pull`, then train and commit again"),
    "UpdateStatus": (NEGATIVE, "see `flair update list`"),
    "TooFewUpdates": (NEGATIVE, "see `flair round show`"),
    "ChallengeOpen": (NEGATIVE, "wait until the challenge time has passed"),
    "ModeNotBuilt": (USAGE, "use mode public and no proofs"),
    "PolicyOutOfRange": (USAGE, "see `flair policy create --help` for the limits"),
    "StrategyBound": (USAGE, "give more with --min-updates, or a smaller f"),
    "NameInvalid": (USAGE, "names are 1 to 64 of a-z 0-9 . _ -"),
    "WeightInvalid": (USAGE, "see `flair policy show` for the cap"),
    "ExpiryInPast": (USAGE, "give a time in the future"),
    "ScopeTooWide": (
        USAGE,
        "the owner gives the right to administer by hand: `flair role grant`",
    ),
    "InviteUses": (USAGE, "give 1 to 1000 with --uses"),
    "InviteExpired": (NEGATIVE, "ask whoever sent the link for a new one"),
    "DelegationTooLong": (USAGE, "give at most 366d, and rotate the key in time"),
    "DelegateSelf": (USAGE, "delegate to a key of its own: `flair wallet new NAME`"),
    "NotDelegator": (NETWORK, "sign with the wallet or the machine key: --wallet"),
    "DelegationExpired": (
        NEGATIVE,
        "with the wallet itself: `flair delegate rotate`, or create it anew",
    ),
    "DelegationMissing": (NETWORK, "the wallet signs `flair delegate create` first"),
    "NotContributor": (NETWORK, "sign with the wallet, or the key that pushed"),
    # Votes, offers and merges of models.
    "OfferInvalid": (
        NEGATIVE,
        "`flair repo show` tells to whom it is offered; --cancel takes an offer back",
    ),
    "NotOffered": (
        NETWORK,
        (
            "sign with the wallet that `flair repo show` names, or ask the owner for "
            "`flair repo offer`"
        ),
    ),
    "UpdatesChanged": (
        NEGATIVE,
        "look again with `flair candidate show` and vote on what is there now",
    ),
    "ApprovedAlready": (NEGATIVE, "nothing is to be done: `flair candidate list`"),
    "AttestsOwn": (NETWORK, "another wallet with the role attest signs: --wallet"),
    "ApprovalMissing": (
        NEGATIVE,
        "the owner looks with `flair candidate show` and approves it",
    ),
    "AttestationsMissing": (
        NEGATIVE,
        "holders of the role attest run `flair attest`; see `flair candidate list`",
    ),
    "CandidateVoid": (
        NEGATIVE,
        "the new owner proposes anew: `flair aggregator once` with its wallet",
    ),
    "MergedInvalid": (USAGE, "`flair merge` takes 1 to 16 models besides the head"),
    # What the client refuses first, or puts right by itself; met by calls made by hand.
    "FeeTooHigh": (USAGE, "give a lower fee: the cap stands in docs/protocol.md"),
    "UnknownBits": (USAGE, "give bits that docs/protocol.md lists, and no other"),
    "PolicyMismatch": (NEGATIVE, "see `flair round show` for the round's policy"),
    "HeadAlreadySet": (NEGATIVE, "the branch has a root: move it by a snapshot"),
    "CommitInvalid": (USAGE, "name a commit other than the head, and not zero"),
    "KindUnknown": (USAGE, "moves are root, snapshot and revert"),
    "UpdateMismatch": (NEGATIVE, "see `flair update list` of that round"),
    "ReasonMissing": (USAGE, "name a reason with `flair update reject --reason`"),
    "RoundNotMerged": (NEGATIVE, "`flair round expire` clears it away"),
    "RoundMerged": (NEGATIVE, "`flair round expire` settles what is left of it"),
    "AccumulateOrder": (NEGATIVE, "`flair aggregator once` adds updates up in order"),
    "AccumulateEmpty": (USAGE, "name at least one update"),
    "NotAllAccumulated": (
        NEGATIVE,
        "`flair aggregator once` adds up what is left; see `flair round show`",
    ),
    "NotProposer": (
        NETWORK,
        "ask the owner for the role merge, or wait for the deadline with an update in",
    ),
    "CandidateLive": (NEGATIVE, "wait until its round is over: `flair round show`"),
    "RentPayerMismatch": (NEGATIVE, "name the wallet that the account says paid"),
    "AccountMismatch": (
        NEGATIVE,
        "check the address and `--network`; run the command again",
    ),
    "Overflow": (NEGATIVE, "a sum leaves its range; give smaller numbers"),
    "ReservedNotZero": (USAGE, "leave what is reserved zero, or update Flair"),
    "StatementUnexpected": (USAGE, "push without a proof: the policy asks for none"),
    "InvariantBroken": (
        INTEGRITY,
        "stop, and report it: SECURITY.md says where",
    ),
}
