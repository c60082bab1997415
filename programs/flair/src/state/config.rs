//! The program's settings: one account for the whole program.

use anchor_lang::prelude::*;

use crate::{
    constants::{ACCOUNT_VERSION, MAX_FEE_BPS, PAUSE_ALL},
    errors::FlairError,
    events::Chained,
    state::DISCRIMINATOR_LEN,
};

/// Fee, treasury and pause bits; chains its own events.
#[account]
pub struct Config {
    /// Layout version, 1.
    pub version: u8,
    /// Bump of the PDA.
    pub bump: u8,
    /// May call `config_set`.
    pub admin: Address,
    /// Room for a two-step hand-over; zero.
    pub pending_admin: Address,
    /// Where fees go.
    pub treasury: Address,
    /// Fee in hundredths of a percent, at most 1,000.
    pub fee_bps: PodU16,
    /// What is paused; see `constants`.
    pub pause_bits: PodU32,
    /// Genesis hash of the cluster that this Config was made for.
    pub genesis_tag: [u8; 32],
    /// Number of events of Config.
    pub event_seq: PodU64,
    /// Root over them; zero before the first.
    pub history_root: [u8; 32],
    /// Room; zero.
    pub mode_bits: PodU32,
    /// Room; zero.
    pub reserved: [u8; 119],
}

impl Config {
    /// Bytes of the account.
    pub const SIZE: usize = DISCRIMINATOR_LEN
        + 1 // version
        + 1 // bump
        + 32 // admin
        + 32 // pending_admin
        + 32 // treasury
        + 2 // fee_bps
        + 4 // pause_bits
        + 32 // genesis_tag
        + 8 // event_seq
        + 32 // history_root
        + 4 // mode_bits
        + 119; // reserved

    /// Refuses what the admin has paused.
    ///
    /// # Errors
    /// `Paused`.
    pub fn require_running(&self, pause_bit: u32) -> Result<()> {
        require!(self.pause_bits.get() & pause_bit == 0, FlairError::Paused);
        Ok(())
    }

    /// Restates every rule about the account by itself.
    ///
    /// # Errors
    /// `FeeTooHigh`, `UnknownBits`, `InvariantBroken`.
    pub fn invariant(&self) -> Result<()> {
        // The fee is capped in code, whoever the admin is.
        require!(self.fee_bps.get() <= MAX_FEE_BPS, FlairError::FeeTooHigh);
        // A bit that this version does not know would pause nothing.
        require!(
            self.pause_bits.get() & !PAUSE_ALL == 0,
            FlairError::UnknownBits
        );
        require!(
            self.version == ACCOUNT_VERSION && self.mode_bits.is_zero(),
            FlairError::InvariantBroken
        );
        Ok(())
    }
}

impl Chained for Config {
    fn chain(&self) -> (PodU64, [u8; 32]) {
        (self.event_seq, self.history_root)
    }

    fn set_chain(&mut self, event_seq: PodU64, history_root: [u8; 32]) {
        self.event_seq = event_seq;
        self.history_root = history_root;
    }
}

const _: () = assert!(Config::SIZE == 307);
const _: () = assert!(DISCRIMINATOR_LEN + size_of::<Config>() == Config::SIZE);
