"""What an author signs, and the check of it. No keys here: signing is passed in."""

import hashlib
from collections.abc import Callable
from dataclasses import replace

from flair_client.encoding.blocks import encode_commit, encode_unsigned_commit
from flair_client.errors import SignatureInvalid
from flair_client.ids import Address
from flair_client.objects import Commit

# (author, message, signature): raises SignatureInvalid when it does not verify.
VerifySignature = Callable[[Address, bytes, bytes], None]


def signing_text(commit: Commit) -> bytes:
    """The ASCII line that the author signs; text, so that any wallet can show it.

    Args:
        commit: with or without its signature, which is not covered.

    Raises:
        ObjectInvalid: the commit breaks a rule.
    """
    unsigned = replace(commit, signature=b"")
    digest = hashlib.sha256(encode_unsigned_commit(unsigned)).hexdigest()
    return f"flair commit v1 {digest}".encode("ascii")


def sign_commit(
    commit: Commit, signer_address: Address, sign: Callable[[bytes], bytes]
) -> Commit:
    """The commit with its author's signature.

    Args:
        commit: without a signature; its author must be the signer.
        signer_address: whose key `sign` uses.
        sign: message to 64 bytes of Ed25519.

    Raises:
        SignatureInvalid: the author is not the signer.
        ObjectInvalid: the commit breaks a rule.
    """
    if commit.author != signer_address:
        reason = f"the author is {commit.author}, the signer {signer_address}"
        raise SignatureInvalid(reason)
    signed = replace(commit, signature=sign(signing_text(commit)))
    encode_commit(signed)
    return signed


def verify_commit_signature(commit: Commit, verify: VerifySignature) -> None:
    """Checks that the author signed exactly this commit.

    Raises:
        SignatureInvalid: somebody else did, or the commit was changed.
    """
    verify(commit.author, signing_text(commit), commit.signature)
