//! Makes the program's settings, once.
//!
//! Accounts expected
//! 1. `admin` `[writable, signer]`: the upgrade authority; pays the rent and becomes the admin
//! 2. `config` `[writable]`: made
//! 3. `program_data`: the program's data account
//! 4. `system_program`
//!
//! Data expected: treasury address, fee_bps u16, pause_bits u32, genesis_tag 32 bytes.
//!
//! What MUST hold
//! * `program_data` is the upgradeable loader's account for this program, and `admin` is the upgrade authority in it.
//! * The fee is within the cap; the pause bits are known.
//!
//! Event: `ConfigCreated`.

use anchor_lang::prelude::*;
use anchor_lang::IdlType;

use crate::{
    constants::ACCOUNT_VERSION, errors::FlairError, events::record, instructions::unix_now,
    state::Config,
};

/// Arguments of `config_create`.
#[derive(Clone, AnchorSerialize, AnchorDeserialize, IdlType)]
pub struct ConfigCreateArgs {
    /// Where fees go.
    pub treasury: Address,
    /// Fee in hundredths of a percent.
    pub fee_bps: u16,
    /// What is paused.
    pub pause_bits: u32,
    /// Genesis hash of the cluster.
    pub genesis_tag: [u8; 32],
}

/// The loader that holds upgradeable programs.
const LOADER: Address = Address::new_from_array([
    2, 168, 246, 145, 78, 136, 161, 176, 226, 16, 21, 62, 247, 99, 174, 43, 0, 194, 185, 61, 22,
    193, 36, 210, 192, 83, 122, 16, 4, 128, 0, 0,
]);

/// How program data begins: the loader's state number as u32, the slot of the last deployment as u64, and the tag of an
/// authority that is there. The authority's address follows.
const PROGRAM_DATA_STATE: [u8; 4] = [3, 0, 0, 0];
const AUTHORITY_TAG_AT: usize = 12;
const AUTHORITY_AT: usize = 13;

/// Accounts of `config_create`.
#[event_cpi]
#[derive(Accounts)]
pub struct ConfigCreate {
    /// Pays the rent and becomes the admin.
    #[account(mut)]
    pub admin: Signer,
    /// Made here.
    #[account(init, payer = admin, seeds = [b"config"], bump)]
    pub config: Account<Config>,
    /// CHECK: its address and owner are checked here, its bytes by `validate`.
    #[account(
        address = program_data_address() @ FlairError::NotUpgradeAuthority,
        owner = LOADER @ FlairError::NotUpgradeAuthority
    )]
    pub program_data: UncheckedAccount,
    /// Makes the account.
    pub system_program: Program<System>,
}

impl ConfigCreate {
    fn validate(&self) -> Result<()> {
        // program_data
        let data = self.program_data.account().try_borrow()?;
        let authority = upgrade_authority(&data).ok_or(FlairError::NotUpgradeAuthority)?;
        // Whoever may replace the program decides about it anyway; nobody else may be first.
        require!(
            authority == self.admin.address().as_array(),
            FlairError::NotUpgradeAuthority
        );
        Ok(())
    }
}

/// Makes the program's settings, once.
///
/// # Errors
/// Those of the rules above.
pub fn config_create(ctx: &mut Context<ConfigCreate>, args: ConfigCreateArgs) -> Result<()> {
    ctx.accounts.validate()?;
    let now = unix_now()?;
    let config = &mut ctx.accounts.config;
    config.version = ACCOUNT_VERSION;
    config.bump = ctx.bumps.config;
    config.admin = *ctx.accounts.admin.address();
    config.treasury = args.treasury;
    config.fee_bps = args.fee_bps.into();
    config.pause_bits = args.pause_bits.into();
    config.genesis_tag = args.genesis_tag;
    config.invariant()?;
    record!(
        ctx.config,
        ctx.accounts.admin.address(),
        now,
        ConfigCreated {
            admin: ctx.accounts.config.admin,
            treasury: args.treasury,
            fee_bps: args.fee_bps.into(),
            pause_bits: args.pause_bits.into(),
            genesis_tag: args.genesis_tag,
        }
    );
    Ok(())
}

/// Where the loader keeps this program's data.
fn program_data_address() -> Address {
    find_program_address(&[crate::ID.as_ref()], &LOADER).0
}

/// The authority in program data; `None` where there is none or the bytes are something else.
fn upgrade_authority(data: &[u8]) -> Option<&[u8; 32]> {
    let has_authority = data.starts_with(&PROGRAM_DATA_STATE) && *data.get(AUTHORITY_TAG_AT)? == 1;
    data.get(AUTHORITY_AT..)?
        .first_chunk::<32>()
        .filter(|_| has_authority)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn make_program_data(state: u32, tag: u8) -> Vec<u8> {
        let mut data = state.to_le_bytes().to_vec();
        data.extend([0; 8]);
        data.push(tag);
        data.extend([7; 32]);
        data
    }

    #[test]
    fn the_authority_of_program_data_is_found() {
        assert_eq!(upgrade_authority(&make_program_data(3, 1)), Some(&[7; 32]));
    }

    #[test]
    fn other_bytes_have_no_authority() {
        assert_eq!(upgrade_authority(&make_program_data(3, 0)), None);
        assert_eq!(upgrade_authority(&make_program_data(2, 1)), None);
        assert_eq!(upgrade_authority(&make_program_data(3, 1)[..44]), None);
        assert_eq!(upgrade_authority(&[]), None);
    }
}
