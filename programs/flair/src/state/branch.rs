//! A movable name for a commit.

use anchor_lang::prelude::*;

use crate::{
    constants::{ACCOUNT_VERSION, MAX_NAME_LEN},
    errors::FlairError,
    state::{
        name::{name_bytes, validate_name},
        Round, DISCRIMINATOR_LEN,
    },
};

/// The head of a line of commits, and its live round.
#[account]
pub struct Branch {
    /// Layout version, 1.
    pub version: u8,
    /// Bump of the PDA.
    pub bump: u8,
    /// Bytes of `name` in use.
    pub name_len: u8,
    /// 1: the authority alone may move it or set its policy.
    pub protected: u8,
    /// Zero-filled.
    pub name: [u8; 64],
    /// The repository.
    pub repo: Address,
    /// Commit id; zero until the root is set.
    pub head_commit: [u8; 32],
    /// Number of moves of the head.
    pub head_seq: PodU64,
    /// The live round's index, or else the next round's.
    pub round_index: PodU64,
    /// 1 while a round is in progress.
    pub round_live: u8,
    /// Policy for the next round.
    pub policy_index: PodU32,
    /// Unix time, seconds.
    pub created_at: PodI64,
    /// Room; zero.
    pub reserved: [u8; 69],
}

impl Branch {
    /// Bytes of the account.
    pub const SIZE: usize = DISCRIMINATOR_LEN
        + 1 // version
        + 1 // bump
        + 1 // name_len
        + 1 // protected
        + MAX_NAME_LEN // name
        + 32 // repo
        + 32 // head_commit
        + 8 // head_seq
        + 8 // round_index
        + 1 // round_live
        + 4 // policy_index
        + 8 // created_at
        + 69; // reserved

    /// The name without its filling.
    pub fn name(&self) -> &[u8] {
        name_bytes(&self.name, self.name_len)
    }

    /// Whether the root commit was set.
    pub fn has_head(&self) -> bool {
        self.head_commit != [0; 32]
    }

    /// Whether this round of the branch is the one in progress.
    pub fn is_live(&self, round: &Round) -> bool {
        self.is_live_index(round.round_index)
    }

    /// Refuses a round that is over.
    ///
    /// # Errors
    /// `RoundNotLive`.
    pub fn require_live(&self, round: &Round) -> Result<()> {
        require!(self.is_live(round), FlairError::RoundNotLive);
        Ok(())
    }

    /// Whether the round with this index is in progress.
    pub fn is_live_index(&self, round_index: PodU64) -> bool {
        self.round_live == 1 && self.round_index == round_index
    }

    /// Compare and swap: refuses a caller that saw another head or sequence.
    ///
    /// # Errors
    /// `HeadMoved`.
    pub fn require_head(&self, expected_head: &[u8; 32], expected_seq: u64) -> Result<()> {
        require!(
            self.head_commit == *expected_head && self.head_seq == expected_seq,
            FlairError::HeadMoved
        );
        Ok(())
    }

    /// Bytes of the index of the round that may be opened now, for its seeds.
    ///
    /// # Errors
    /// `RoundInProgress`: one is live, so its account exists already.
    pub fn next_round_seed(&self) -> Result<[u8; 8]> {
        require!(self.round_live == 0, FlairError::RoundInProgress);
        Ok(self.round_index.get().to_le_bytes())
    }

    /// Moves the head.
    ///
    /// # Errors
    /// `Overflow`.
    pub fn move_head(&mut self, new_head: [u8; 32]) -> Result<()> {
        self.head_commit = new_head;
        self.head_seq = self
            .head_seq
            .checked_add(1u64)
            .ok_or(FlairError::Overflow)?;
        Ok(())
    }

    /// Ends the live round; its index is never used again.
    ///
    /// # Errors
    /// `Overflow`.
    pub fn end_round(&mut self) -> Result<()> {
        self.round_live = 0;
        self.round_index = self
            .round_index
            .checked_add(1u64)
            .ok_or(FlairError::Overflow)?;
        Ok(())
    }

    /// Moves the head otherwise than by the merge of a round; a live round ends by it, since its base is no longer the
    /// head. Gives 1 and its index where there was one, else zeros.
    ///
    /// # Errors
    /// `Overflow`.
    pub fn advance(&mut self, new_head: [u8; 32]) -> Result<(u8, PodU64)> {
        self.move_head(new_head)?;
        if self.round_live != 1 {
            return Ok((0, PodU64::ZERO));
        }
        let ended = self.round_index;
        self.end_round()?;
        Ok((1, ended))
    }

    /// Restates every rule about the account by itself.
    ///
    /// # Errors
    /// `NameInvalid`, `InvariantBroken`.
    pub fn invariant(&self) -> Result<()> {
        validate_name(self.name())?;
        require!(
            self.version == ACCOUNT_VERSION && self.protected <= 1 && self.round_live <= 1,
            FlairError::InvariantBroken
        );
        // No round without a base to train from, and no move without a head.
        require!(
            self.has_head() || (self.round_live == 0 && self.head_seq.is_zero()),
            FlairError::InvariantBroken
        );
        Ok(())
    }
}

const _: () = assert!(Branch::SIZE == 238);
const _: () = assert!(DISCRIMINATOR_LEN + size_of::<Branch>() == Branch::SIZE);
