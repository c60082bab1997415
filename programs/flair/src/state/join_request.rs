//! Somebody who asks for a role.

use anchor_lang::prelude::*;

use crate::{
    constants::ACCOUNT_VERSION,
    errors::FlairError,
    state::{validate_plain_scope, DISCRIMINATOR_LEN},
};

/// A request, one per repository and applicant. It gives nothing.
#[account]
pub struct JoinRequest {
    /// Layout version, 1.
    pub version: u8,
    /// Bump of the PDA.
    pub bump: u8,
    /// Bits: 1 contribute, 2 merge, 4 attest.
    pub scope: PodU16,
    /// The repository.
    pub repo: Address,
    /// For where; zero: the whole repository.
    pub branch: Address,
    /// Who asks.
    pub applicant: Address,
    /// Gets the rent back.
    pub rent_payer: Address,
    /// Digest of a raw block with the applicant's words; zero: none.
    pub note_digest: [u8; 32],
    /// Unix time, seconds.
    pub requested_at: PodI64,
    /// Room; zero.
    pub reserved: [u8; 40],
}

impl JoinRequest {
    /// Bytes of the account.
    pub const SIZE: usize = DISCRIMINATOR_LEN
        + 1 // version
        + 1 // bump
        + 2 // scope
        + 32 // repo
        + 32 // branch
        + 32 // applicant
        + 32 // rent_payer
        + 32 // note_digest
        + 8 // requested_at
        + 40; // reserved

    /// Restates every rule about the account by itself.
    ///
    /// # Errors
    /// `UnknownBits`, `RoleScope`, `ScopeTooWide`, `InvariantBroken`.
    pub fn invariant(&self) -> Result<()> {
        validate_plain_scope(self.scope.get())?;
        require!(self.version == ACCOUNT_VERSION, FlairError::InvariantBroken);
        Ok(())
    }
}

const _: () = assert!(JoinRequest::SIZE == 220);
const _: () = assert!(DISCRIMINATOR_LEN + size_of::<JoinRequest>() == JoinRequest::SIZE);
