//! Changes the program's settings.
//!
//! Accounts expected
//! 1. `admin` `[signer]`
//! 2. `config` `[writable]`
//!
//! Data expected: treasury address, fee_bps u16, pause_bits u32.
//!
//! What MUST hold
//! * `admin` is the admin in `config`.
//! * The fee is within the cap; the pause bits are known.
//!
//! Event: `ConfigSet`.

use anchor_lang::prelude::*;
use anchor_lang::IdlType;

use crate::{errors::FlairError, events::record, instructions::unix_now, state::Config};

/// Arguments of `config_set`.
#[derive(Clone, AnchorSerialize, AnchorDeserialize, IdlType)]
pub struct ConfigSetArgs {
    /// Where fees go.
    pub treasury: Address,
    /// Fee in hundredths of a percent.
    pub fee_bps: u16,
    /// What is paused.
    pub pause_bits: u32,
}

/// Accounts of `config_set`.
#[event_cpi]
#[derive(Accounts)]
pub struct ConfigSet {
    /// The admin.
    #[account(address = config.admin @ FlairError::NotAuthority)]
    pub admin: Signer,
    /// Settings of the program.
    #[account(mut, seeds = [b"config"], bump)]
    pub config: Account<Config>,
}

/// Changes the program's settings.
///
/// # Errors
/// Those of the rules above.
pub fn config_set(ctx: &mut Context<ConfigSet>, args: ConfigSetArgs) -> Result<()> {
    let now = unix_now()?;
    let config = &mut ctx.accounts.config;
    config.treasury = args.treasury;
    config.fee_bps = args.fee_bps.into();
    config.pause_bits = args.pause_bits.into();
    config.invariant()?;
    record!(
        ctx.config,
        ctx.accounts.admin.address(),
        now,
        ConfigSet {
            admin: ctx.accounts.config.admin,
            treasury: args.treasury,
            fee_bps: args.fee_bps.into(),
            pause_bits: args.pause_bits.into(),
            genesis_tag: ctx.accounts.config.genesis_tag,
        }
    );
    Ok(())
}
