"""Calls by which owner and attesters speak about a proposed merge."""

from solders.pubkey import Pubkey

from program_harness.call import Call, address_of, find_pda
from program_harness.members import Members
from program_harness.values import ATTEST, digest, u32


def find_attestation(candidate: Pubkey, who: str, epoch: int) -> Pubkey:
    """Gives the address of an attestation of a candidate."""
    return find_pda(b"attest", candidate, u32(epoch), address_of(who))


class Votes(Members):
    """Approves and attests candidates of the live round."""

    __slots__ = ()

    def find_attestation(
        self,
        who: str,
        commit: str = "merge",
        *,
        index: int | None = None,
        epoch: int = 0,
    ) -> Pubkey:
        """Gives the address of somebody's attestation."""
        candidate = self.find_candidate(digest(commit), index)
        return find_attestation(candidate, who, epoch)

    def merge_approve(
        self, commit: str = "merge", *, root: bytes | None = None
    ) -> Call:
        """The owner approves a candidate whose updates it sees."""
        return self._call(
            "merge_approve",
            {"authority": self.owner},
            round=self.round,
            candidate=self.find_candidate(digest(commit)),
            arguments={"update_root": root or self._update_root()},
        )

    def merge_attest(
        self,
        who: str,
        commit: str = "merge",
        *,
        with_role: bool = True,
        root: bytes | None = None,
    ) -> Call:
        """Somebody attests a candidate; who has no role yet is given one before."""
        key, epoch = self.chain.party(who), self.chain.read(self.repo).authority_epoch
        role = self.find_role(key.pubkey()) if with_role else None
        if role is not None and not self.chain.exists(role):
            self.chain.send(self.role_grant(who, ATTEST))
        return self._call(
            "merge_attest",
            {"payer": self.payer, "attester": key},
            role=role,
            round=self.round,
            candidate=self.find_candidate(digest(commit)),
            attestation=self.find_attestation(who, commit, epoch=epoch),
            arguments={"update_root": root or self._update_root()},
        )

    def attestation_expire(
        self, who: str, commit: str = "merge", *, index: int = 1, epoch: int = 0
    ) -> Call:
        """Anyone closes an attestation of a round that is over."""
        return self._call(
            "attestation_expire",
            {"actor": self.anyone},
            attestation=self.find_attestation(who, commit, index=index, epoch=epoch),
            rent_payer=self.payer.pubkey(),
        )

    def _update_root(self) -> bytes:
        root: bytes = self.chain.read(self.round).update_root
        return root
