//! A key that may push for a wallet.

use anchor_lang::prelude::*;

use crate::{
    constants::{ACCOUNT_VERSION, MAX_DELEGATION_S},
    errors::FlairError,
    state::DISCRIMINATOR_LEN,
};

/// By it a wallet, which may lie in a safe, lets the key of a machine push and withdraw for it in one repository.
#[account]
pub struct Delegation {
    /// Layout version, 1.
    pub version: u8,
    /// Bump of the PDA.
    pub bump: u8,
    /// The repository.
    pub repo: Address,
    /// Whom updates count for.
    pub wallet: Address,
    /// Who may sign them.
    pub key: Address,
    /// Gets the rent back.
    pub rent_payer: Address,
    /// Unix time, seconds.
    pub created_at: PodI64,
    /// Unix time, seconds; it holds while now is before it.
    pub expires_at: PodI64,
    /// Room; zero.
    pub reserved: [u8; 40],
}

impl Delegation {
    /// Bytes of the account.
    pub const SIZE: usize = DISCRIMINATOR_LEN
        + 1 // version
        + 1 // bump
        + 32 // repo
        + 32 // wallet
        + 32 // key
        + 32 // rent_payer
        + 8 // created_at
        + 8 // expires_at
        + 40; // reserved

    /// Whether it holds no more, so that anyone may close it.
    pub fn is_expired(&self, now: i64) -> bool {
        now >= self.expires_at.get()
    }

    /// Refuses one that has expired.
    ///
    /// # Errors
    /// `DelegationExpired`.
    pub fn require_holding(&self, now: i64) -> Result<()> {
        require!(!self.is_expired(now), FlairError::DelegationExpired);
        Ok(())
    }

    /// Restates every rule about the account by itself.
    ///
    /// # Errors
    /// `DelegateSelf`, `InvariantBroken`.
    pub fn invariant(&self) -> Result<()> {
        require!(self.key != self.wallet, FlairError::DelegateSelf);
        require!(
            self.version == ACCOUNT_VERSION && self.expires_at > self.created_at,
            FlairError::InvariantBroken
        );
        Ok(())
    }
}

/// Accepts the expiry of a delegation made now.
///
/// # Errors
/// `ExpiryInPast`, `DelegationTooLong`, `Overflow`.
pub fn validate_delegation_expiry(expires_at: i64, now: i64) -> Result<()> {
    let latest = now
        .checked_add(MAX_DELEGATION_S)
        .ok_or(FlairError::Overflow)?;
    require!(expires_at > now, FlairError::ExpiryInPast);
    require!(expires_at <= latest, FlairError::DelegationTooLong);
    Ok(())
}

const _: () = assert!(Delegation::SIZE == 194);
const _: () = assert!(DISCRIMINATOR_LEN + size_of::<Delegation>() == Delegation::SIZE);

#[cfg(test)]
mod tests {
    use bytemuck::Zeroable;

    use super::*;

    const NOW: i64 = 1_000;

    #[test]
    fn it_holds_until_its_time() {
        let mut delegation = Delegation::zeroed();
        delegation.expires_at = NOW.into();

        assert!(delegation.require_holding(NOW - 1).is_ok());
        assert_eq!(
            delegation.require_holding(NOW).unwrap_err(),
            FlairError::DelegationExpired.into()
        );
    }

    #[test]
    fn an_expiry_is_in_the_future_and_within_a_leap_year() {
        for expires_at in [NOW + 1, NOW + 366 * 86_400] {
            assert!(validate_delegation_expiry(expires_at, NOW).is_ok());
        }
        for expires_at in [NOW, 0, -1] {
            assert_eq!(
                validate_delegation_expiry(expires_at, NOW).unwrap_err(),
                FlairError::ExpiryInPast.into()
            );
        }
        assert_eq!(
            validate_delegation_expiry(NOW + 366 * 86_400 + 1, NOW).unwrap_err(),
            FlairError::DelegationTooLong.into()
        );
    }
}
