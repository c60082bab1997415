//! A role for whoever has a key.

use anchor_lang::prelude::*;

use crate::{
    constants::{ACCOUNT_VERSION, MAX_INVITE_USES},
    errors::FlairError,
    state::{validate_plain_scope, DISCRIMINATOR_LEN},
};

/// An invite: its key's secret travels in a link; only the address is here.
#[account]
pub struct Invite {
    /// Layout version, 1.
    pub version: u8,
    /// Bump of the PDA.
    pub bump: u8,
    /// Bits: 1 contribute, 2 merge, 4 attest.
    pub scope: PodU16,
    /// The repository.
    pub repo: Address,
    /// Where the roles hold; zero: the whole repository.
    pub branch: Address,
    /// Whoever has its secret may redeem.
    pub key: Address,
    /// Who made it: `granted_by` of the roles.
    pub created_by: Address,
    /// Gets the rent back.
    pub rent_payer: Address,
    /// Unix time, seconds; it can be redeemed while now is before it.
    pub expires_at: PodI64,
    /// Unix time, seconds, of the roles made by it. 0: never.
    pub role_expires_at: PodI64,
    /// How often it can still be redeemed.
    pub uses_left: PodU16,
    /// `Repo.authority_epoch` when it was made.
    pub authority_epoch: PodU32,
    /// Room; zero.
    pub reserved: [u8; 40],
}

impl Invite {
    /// Bytes of the account.
    pub const SIZE: usize = DISCRIMINATOR_LEN
        + 1 // version
        + 1 // bump
        + 2 // scope
        + 32 // repo
        + 32 // branch
        + 32 // key
        + 32 // created_by
        + 32 // rent_payer
        + 8 // expires_at
        + 8 // role_expires_at
        + 2 // uses_left
        + 4 // authority_epoch
        + 40; // reserved

    /// Whether it can be redeemed no more, so that anyone may close it.
    pub fn is_expired(&self, now: i64) -> bool {
        now >= self.expires_at.get()
    }

    /// Counts a use; true for the last one.
    ///
    /// # Errors
    /// `Overflow`.
    pub fn take_use(&mut self) -> Result<bool> {
        self.uses_left = self
            .uses_left
            .checked_sub(1u16)
            .ok_or(FlairError::Overflow)?;
        Ok(self.uses_left.is_zero())
    }

    /// Restates every rule about the account by itself.
    ///
    /// # Errors
    /// `UnknownBits`, `RoleScope`, `ScopeTooWide`, `InviteUses`, `InvariantBroken`.
    pub fn invariant(&self) -> Result<()> {
        validate_plain_scope(self.scope.get())?;
        require!(
            self.uses_left.get() <= MAX_INVITE_USES,
            FlairError::InviteUses
        );
        require!(
            self.version == ACCOUNT_VERSION
                && self.expires_at.get() > 0
                && self.role_expires_at.get() >= 0,
            FlairError::InvariantBroken
        );
        Ok(())
    }
}

const _: () = assert!(Invite::SIZE == 234);
const _: () = assert!(DISCRIMINATOR_LEN + size_of::<Invite>() == Invite::SIZE);

#[cfg(test)]
mod tests {
    use bytemuck::Zeroable;

    use super::*;

    #[test]
    fn the_last_use_is_told_and_none_is_left_to_take() {
        let mut invite = Invite::zeroed();
        invite.uses_left = 2u16.into();

        assert!(!invite.take_use().unwrap());
        assert!(invite.take_use().unwrap());
        assert_eq!(invite.take_use().unwrap_err(), FlairError::Overflow.into());
    }

    #[test]
    fn it_expires_at_its_time() {
        let mut invite = Invite::zeroed();
        invite.expires_at = 10i64.into();

        assert!(!invite.is_expired(9));
        assert!(invite.is_expired(10));
    }
}
