//! A model repository.

use anchor_lang::prelude::*;

use crate::{
    constants::{ACCOUNT_VERSION, MAX_NAME_LEN},
    errors::FlairError,
    events::Chained,
    state::{
        name::{name_bytes, validate_name},
        DISCRIMINATOR_LEN,
    },
};

/// The home of a shared model: its name, its authority and the root over everything that happened to it.
#[account]
pub struct Repo {
    /// Layout version, 1.
    pub version: u8,
    /// Bump of the PDA.
    pub bump: u8,
    /// Bytes of `name` in use.
    pub name_len: u8,
    /// Room for the market; zero.
    pub listed: u8,
    /// Zero-filled.
    pub name: [u8; 64],
    /// Who made it; never changes.
    pub creator: Address,
    /// Who may do everything in it. People call it the owner.
    pub authority: Address,
    /// Whom the repository was offered to; zero: nobody.
    pub pending_authority: Address,
    /// Raised when the authority changes; what the one before allowed is void by it.
    pub authority_epoch: PodU32,
    /// Index of the next policy.
    pub policy_count: PodU32,
    /// Room for the token that stands for the repository; zero.
    pub mint: Address,
    /// Number of events of this repository.
    pub event_seq: PodU64,
    /// Root over them; zero before the first.
    pub history_root: [u8; 32],
    /// Points given out so far.
    pub points_total: PodU128,
    /// Points that one merge may give out.
    pub points_per_merge: PodU64,
    /// Room for the keys of private repositories; zero.
    pub keyring_digest: [u8; 32],
    /// Unix time, seconds.
    pub created_at: PodI64,
    /// Pays for contributors, at its own door; zero: none. Gives no right here.
    pub sponsor: Address,
    /// Room; zero.
    pub reserved: [u8; 89],
}

impl Repo {
    /// Bytes of the account.
    pub const SIZE: usize = DISCRIMINATOR_LEN
        + 1 // version
        + 1 // bump
        + 1 // name_len
        + 1 // listed
        + MAX_NAME_LEN // name
        + 32 // creator
        + 32 // authority
        + 32 // pending_authority
        + 4 // authority_epoch
        + 4 // policy_count
        + 32 // mint
        + 8 // event_seq
        + 32 // history_root
        + 16 // points_total
        + 8 // points_per_merge
        + 32 // keyring_digest
        + 8 // created_at
        + 32 // sponsor
        + 89; // reserved

    /// The name without its filling.
    pub fn name(&self) -> &[u8] {
        name_bytes(&self.name, self.name_len)
    }

    /// Makes the wallet that it was offered to its authority, in a new epoch.
    ///
    /// # Errors
    /// `Overflow`.
    pub fn hand_over(&mut self) -> Result<()> {
        self.authority = self.pending_authority;
        self.pending_authority = Address::default();
        self.authority_epoch = self
            .authority_epoch
            .checked_add(1u32)
            .ok_or(FlairError::Overflow)?;
        Ok(())
    }

    /// Restates every rule about the account by itself.
    ///
    /// # Errors
    /// `NameInvalid`, `InvariantBroken`.
    pub fn invariant(&self) -> Result<()> {
        validate_name(self.name())?;
        require!(
            self.version == ACCOUNT_VERSION && self.authority != Address::default(),
            FlairError::InvariantBroken
        );
        Ok(())
    }
}

impl Chained for Repo {
    fn chain(&self) -> (PodU64, [u8; 32]) {
        (self.event_seq, self.history_root)
    }

    fn set_chain(&mut self, event_seq: PodU64, history_root: [u8; 32]) {
        self.event_seq = event_seq;
        self.history_root = history_root;
    }
}

const _: () = assert!(Repo::SIZE == 437);
const _: () = assert!(DISCRIMINATOR_LEN + size_of::<Repo>() == Repo::SIZE);
