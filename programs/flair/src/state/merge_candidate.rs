//! A commit proposed as the merge of a round.

use anchor_lang::prelude::*;

use crate::{constants::ACCOUNT_VERSION, errors::FlairError, state::DISCRIMINATOR_LEN};

/// A proposal; there may be several for one round, one per commit id, so that a bad first one blocks nobody.
#[account]
pub struct MergeCandidate {
    /// Layout version, 1.
    pub version: u8,
    /// Bump of the PDA.
    pub bump: u8,
    /// 1: the authority of `votes_epoch` approved it.
    pub approvals: u8,
    /// How many attested it under that authority.
    pub attestations: u8,
    /// The repository.
    pub repo: Address,
    /// The branch.
    pub branch: Address,
    /// The round.
    pub round: Address,
    /// The round's index.
    pub round_index: PodU64,
    /// The merge commit.
    pub commit_id: [u8; 32],
    /// Who proposed it.
    pub proposer: Address,
    /// Gets the rent back.
    pub payer: Address,
    /// Unix time, seconds: the challenge time runs from here.
    pub proposed_at: PodI64,
    /// `Repo.authority_epoch` at the proposal.
    pub authority_epoch: PodU32,
    /// `Repo.authority_epoch` of `approvals` and `attestations`; under a later authority they count no more.
    pub votes_epoch: PodU32,
    /// Room; zero.
    pub reserved: [u8; 28],
}

impl MergeCandidate {
    /// Bytes of the account.
    pub const SIZE: usize = DISCRIMINATOR_LEN
        + 1 // version
        + 1 // bump
        + 1 // approvals
        + 1 // attestations
        + 32 // repo
        + 32 // branch
        + 32 // round
        + 8 // round_index
        + 32 // commit_id
        + 32 // proposer
        + 32 // payer
        + 8 // proposed_at
        + 4 // authority_epoch
        + 4 // votes_epoch
        + 28; // reserved

    /// Approvals and attestations that count under the authority of this epoch.
    pub fn votes(&self, epoch: PodU32) -> (u8, u8) {
        if self.votes_epoch == epoch {
            (self.approvals, self.attestations)
        } else {
            (0, 0)
        }
    }

    /// Notes the approval of this epoch's authority.
    ///
    /// # Errors
    /// `ApprovedAlready`.
    pub fn approve(&mut self, epoch: PodU32) -> Result<()> {
        let (approvals, attestations) = self.votes(epoch);
        require!(approvals == 0, FlairError::ApprovedAlready);
        (self.approvals, self.attestations) = (1, attestations);
        self.votes_epoch = epoch;
        Ok(())
    }

    /// Counts an attestation under this epoch's authority.
    ///
    /// # Errors
    /// `Overflow`.
    pub fn attest(&mut self, epoch: PodU32) -> Result<()> {
        let (approvals, attestations) = self.votes(epoch);
        let attestations = attestations.checked_add(1).ok_or(FlairError::Overflow)?;
        (self.approvals, self.attestations) = (approvals, attestations);
        self.votes_epoch = epoch;
        Ok(())
    }

    /// Restates every rule about the account by itself.
    ///
    /// # Errors
    /// `InvariantBroken`.
    pub fn invariant(&self) -> Result<()> {
        require!(
            self.version == ACCOUNT_VERSION && self.commit_id != [0; 32] && self.approvals <= 1,
            FlairError::InvariantBroken
        );
        Ok(())
    }
}

const _: () = assert!(MergeCandidate::SIZE == 256);
const _: () = assert!(DISCRIMINATOR_LEN + size_of::<MergeCandidate>() == MergeCandidate::SIZE);

#[cfg(test)]
mod tests {
    use bytemuck::Zeroable;

    use super::*;

    #[test]
    fn votes_lapse_when_the_authority_changes() {
        let mut candidate = MergeCandidate::zeroed();
        candidate.attest(0u32.into()).unwrap();
        candidate.approve(0u32.into()).unwrap();
        candidate.attest(0u32.into()).unwrap();

        assert_eq!(candidate.votes(0u32.into()), (1, 2));
        assert_eq!(candidate.votes(1u32.into()), (0, 0));
        candidate.attest(1u32.into()).unwrap();
        assert_eq!(candidate.votes(1u32.into()), (0, 1));
        candidate.approve(2u32.into()).unwrap();
        assert_eq!(candidate.votes(2u32.into()), (1, 0));
        assert_eq!(candidate.votes(0u32.into()), (0, 0));
    }

    #[test]
    fn nobody_approves_twice() {
        let mut candidate = MergeCandidate::zeroed();
        candidate.approve(7u32.into()).unwrap();

        assert_eq!(
            candidate.approve(7u32.into()).unwrap_err(),
            FlairError::ApprovedAlready.into()
        );
    }

    #[test]
    fn attestations_that_overflow_are_refused() {
        let mut candidate = MergeCandidate::zeroed();
        candidate.attestations = u8::MAX;

        assert_eq!(
            candidate.attest(0u32.into()).unwrap_err(),
            FlairError::Overflow.into()
        );
    }
}
