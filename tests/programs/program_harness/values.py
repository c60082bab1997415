"""Numbers, names and digests that the tests share."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from solders.pubkey import Pubkey

from program_harness.call import wallet

ZERO: Final = bytes(32)
NO_BRANCH: Final = Pubkey.from_bytes(ZERO)
GENESIS: Final = hashlib.sha256(b"genesis").digest()
POINTS: Final = 1000
DEPOSIT: Final = 5_000_000
OPEN, CLOSED, MERGED, ABORTED = 1, 2, 3, 4
PENDING, ACCEPTED, REJECTED, ACCUMULATED = 1, 2, 3, 4
ROOT, SNAPSHOT, REVERT = 0, 1, 2
CONTRIBUTE, MERGE, ATTEST, ADMINISTER = 1, 2, 4, 8
PARAMS: Final[Mapping[str, Any]] = {
    "bits": 16,
    "scale_exp": -20,
    "strategy": 1,
    "weight_cap": 64,
    "min_updates": 2,
    "max_updates": 4,
    "n_params": 10,
    "norm_bound_sq": 1 << 40,
    "eta_q24": 1 << 24,
    "round_length_s": 3600,
    "merge_grace_s": 7200,
    "challenge_s": 600,
    "deposit_lamports": DEPOSIT,
}

GOOD_NAMES: Final = [b"a", b"7", b"heart-disease", b"v1.0_rc-2", b"0..__--", b"x" * 64]
BAD_NAMES: Final = [
    *(b"", b".a", b"-a", b"_a", b"A", b"aB", b"a b", b"a/b", b"a\0", b"a\n"),
    *("ä".encode(), b"a\xff", b"a{", b"a`", b"a:", b"a@", b"a["),
]


def digest(text: str) -> bytes:
    """Gives a commit id or digest for a name."""
    return hashlib.sha256(text.encode()).digest()


def u32(number: int) -> bytes:
    """Little-endian, as in seeds."""
    return number.to_bytes(4, "little")


def u64(number: int) -> bytes:
    """Little-endian, as in seeds."""
    return number.to_bytes(8, "little")


def ordered(weights: Mapping[str, int] | Sequence[str]) -> list[str]:
    """Contributors in the order of accumulation."""

    def rank(who: str) -> tuple[int, bytes]:
        weight = weights[who] if isinstance(weights, Mapping) else 1
        return -weight, bytes(wallet(who).pubkey())

    return sorted(weights, key=rank)
