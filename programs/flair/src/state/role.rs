//! Who may act besides the authority, and the one place that decides it.

use anchor_lang::prelude::*;

use crate::{
    constants::ACCOUNT_VERSION,
    errors::FlairError,
    state::{Branch, Repo, DISCRIMINATOR_LEN},
};

/// May push updates where the policy is "invited".
pub const SCOPE_CONTRIBUTE: u16 = 1;
/// May propose merges.
pub const SCOPE_MERGE: u16 = 2;
/// May attest merges.
pub const SCOPE_ATTEST: u16 = 4;
/// May create policies and branches, move unprotected branches, grant and revoke roles.
pub const SCOPE_ADMINISTER: u16 = 8;
/// Every scope bit.
pub const SCOPE_ALL: u16 = SCOPE_CONTRIBUTE | SCOPE_MERGE | SCOPE_ATTEST | SCOPE_ADMINISTER;

/// The branch of roles that hold for the whole repository.
pub const WHOLE_REPO: Address = Address::new_from_array([0; 32]);

/// A right that the authority, or an administrator, has given to a wallet.
#[account]
pub struct Role {
    /// Layout version, 1.
    pub version: u8,
    /// Bump of the PDA.
    pub bump: u8,
    /// Bits: 1 contribute, 2 merge, 4 attest, 8 administer.
    pub scope: PodU16,
    /// The repository.
    pub repo: Address,
    /// The branch; zero for the whole repository.
    pub branch: Address,
    /// Who may act.
    pub grantee: Address,
    /// Who gave it.
    pub granted_by: Address,
    /// Gets the rent back.
    pub rent_payer: Address,
    /// Unix time, seconds; the role holds while now is before it. 0: never expires.
    pub expires_at: PodI64,
    /// `Repo.authority_epoch` at the grant.
    pub authority_epoch: PodU32,
    /// Room; zero.
    pub reserved: [u8; 40],
}

impl Role {
    /// Bytes of the account.
    pub const SIZE: usize = DISCRIMINATOR_LEN
        + 1 // version
        + 1 // bump
        + 2 // scope
        + 32 // repo
        + 32 // branch
        + 32 // grantee
        + 32 // granted_by
        + 32 // rent_payer
        + 8 // expires_at
        + 4 // authority_epoch
        + 40; // reserved

    /// Restates every rule about the account by itself.
    ///
    /// # Errors
    /// `UnknownBits`, `RoleScope`, `InvariantBroken`.
    pub fn invariant(&self) -> Result<()> {
        validate_scope(self.scope.get())?;
        require!(
            self.version == ACCOUNT_VERSION && self.expires_at.get() >= 0,
            FlairError::InvariantBroken
        );
        Ok(())
    }
}

/// Accepts scopes with at least one bit and only known ones.
///
/// # Errors
/// `UnknownBits`; `RoleScope` for a role without any right.
pub fn validate_scope(scope: u16) -> Result<()> {
    require!(scope & !SCOPE_ALL == 0, FlairError::UnknownBits);
    require!(scope != 0, FlairError::RoleScope);
    Ok(())
}

/// Accepts what can be given without the authority's own signature: any right but to administer.
///
/// # Errors
/// `ScopeTooWide`, and those of `validate_scope`.
pub fn validate_plain_scope(scope: u16) -> Result<()> {
    validate_scope(scope)?;
    require!(scope & SCOPE_ADMINISTER == 0, FlairError::ScopeTooWide);
    Ok(())
}

/// Accepts the expiry of a role that holds now: 0, never, or a time to come.
///
/// # Errors
/// `ExpiryInPast`.
pub fn validate_expiry(expires_at: i64, now: i64) -> Result<()> {
    require!(
        expires_at == 0 || expires_at > now,
        FlairError::ExpiryInPast
    );
    Ok(())
}

/// The branch of a role, an invite or a request as it is stored and as its seed.
pub fn branch_or_zero(branch: &Option<Account<Branch>>) -> Address {
    branch
        .as_ref()
        .map_or(WHOLE_REPO, |branch| *branch.address())
}

/// What `authorise` needs to know of a repository, so that tests need no accounts.
#[derive(Clone, Copy)]
pub struct Authority<'a> {
    /// Address of the repository.
    pub repo: &'a Address,
    /// Its authority.
    pub authority: &'a Address,
    /// The epoch of its roles.
    pub epoch: PodU32,
}

impl<'a> From<&'a Account<Repo>> for Authority<'a> {
    fn from(repo: &'a Account<Repo>) -> Self {
        Self {
            repo: repo.address(),
            authority: &repo.authority,
            epoch: repo.authority_epoch,
        }
    }
}

/// Decides whether `actor` may do what `scope` names, on `branch` (`WHOLE_REPO`: everywhere).
///
/// The authority may do everything. Anyone else needs a role that holds: repository, grantee and epoch agree, it is
/// not expired, has the bit, and its branch is zero or the branch acted on. That the role's address belongs to these
/// fields is the accounts struct's work (seeds).
///
/// # Errors
/// `RoleMissing`, `RoleVoid`, `RoleExpired`, `RoleScope`, in this order.
pub fn authorise<'a>(
    repo: impl Into<Authority<'a>>,
    branch: &Address,
    actor: &Address,
    role: Option<&Role>,
    scope: u16,
    now: i64,
) -> Result<()> {
    let repo = repo.into();
    if actor == repo.authority {
        return Ok(());
    }
    let role = role.ok_or(FlairError::RoleMissing)?;
    // Somebody else's role, or one for another place, is no role here.
    require!(
        role.repo == *repo.repo && role.grantee == *actor,
        FlairError::RoleMissing
    );
    require!(
        role.branch == WHOLE_REPO || role.branch == *branch,
        FlairError::RoleMissing
    );
    // The authority changed: whoever was trusted by the old one must be trusted anew.
    require!(role.authority_epoch == repo.epoch, FlairError::RoleVoid);
    require!(
        role.expires_at.is_zero() || now < role.expires_at.get(),
        FlairError::RoleExpired
    );
    require!(role.scope.get() & scope == scope, FlairError::RoleScope);
    Ok(())
}

/// Like `authorise` for what moves a branch or sets its policy: a protected branch obeys its authority alone.
///
/// # Errors
/// `ProtectedBranch`, and those of `authorise`.
pub fn authorise_move(
    repo: &Account<Repo>,
    branch: &Account<Branch>,
    actor: &Address,
    role: Option<&Role>,
    scope: u16,
    now: i64,
) -> Result<()> {
    require!(
        branch.protected == 0 || *actor == repo.authority,
        FlairError::ProtectedBranch
    );
    authorise(repo, branch.address(), actor, role, scope, now)
}

const _: () = assert!(Role::SIZE == 224);
const _: () = assert!(DISCRIMINATOR_LEN + size_of::<Role>() == Role::SIZE);

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_000;

    fn address(byte: u8) -> Address {
        Address::new_from_array([byte; 32])
    }

    fn make_role() -> Role {
        Role {
            scope: SCOPE_MERGE.into(),
            repo: address(1),
            grantee: address(3),
            authority_epoch: 5u32.into(),
            expires_at: (NOW + 1).into(),
            ..bytemuck::Zeroable::zeroed()
        }
    }

    fn try_with(role: Option<&Role>, branch: u8, scope: u16) -> Result<()> {
        let (repo, authority) = (address(1), address(2));
        let repo = Authority {
            repo: &repo,
            authority: &authority,
            epoch: 5u32.into(),
        };
        authorise(repo, &address(branch), &address(3), role, scope, NOW)
    }

    #[test]
    fn the_authority_needs_no_role() {
        let (repo, authority) = (address(1), address(2));
        let repo = Authority {
            repo: &repo,
            authority: &authority,
            epoch: 5u32.into(),
        };

        assert!(authorise(repo, &WHOLE_REPO, &address(2), None, SCOPE_ALL, NOW).is_ok());
    }

    #[test]
    fn a_role_for_the_repository_holds_on_every_branch() {
        assert!(try_with(Some(&make_role()), 9, SCOPE_MERGE).is_ok());
    }

    #[test]
    fn each_way_not_to_hold_has_its_own_error() {
        let refused = |change: fn(&mut Role)| {
            let mut role = make_role();
            change(&mut role);
            try_with(Some(&role), 9, SCOPE_MERGE).unwrap_err()
        };

        assert_eq!(
            try_with(None, 9, SCOPE_MERGE).unwrap_err(),
            FlairError::RoleMissing.into()
        );
        assert_eq!(
            refused(|role| role.repo = address(8)),
            FlairError::RoleMissing.into()
        );
        assert_eq!(
            refused(|role| role.grantee = address(8)),
            FlairError::RoleMissing.into()
        );
        assert_eq!(
            refused(|role| role.branch = address(8)),
            FlairError::RoleMissing.into()
        );
        assert_eq!(
            refused(|role| role.authority_epoch = 4u32.into()),
            FlairError::RoleVoid.into()
        );
        assert_eq!(
            refused(|role| role.expires_at = NOW.into()),
            FlairError::RoleExpired.into()
        );
        assert_eq!(
            refused(|role| role.scope = SCOPE_CONTRIBUTE.into()),
            FlairError::RoleScope.into()
        );
    }

    #[test]
    fn a_role_for_a_branch_does_not_hold_for_the_repository() {
        let mut role = make_role();
        role.branch = address(9);

        assert!(try_with(Some(&role), 9, SCOPE_MERGE).is_ok());
        assert_eq!(
            try_with(Some(&role), 0, SCOPE_MERGE).unwrap_err(),
            FlairError::RoleMissing.into()
        );
    }

    #[test]
    fn scopes_without_a_bit_or_with_an_unknown_one_are_refused() {
        assert!(validate_scope(SCOPE_ALL).is_ok());
        assert_eq!(validate_scope(0).unwrap_err(), FlairError::RoleScope.into());
        assert_eq!(
            validate_scope(16).unwrap_err(),
            FlairError::UnknownBits.into()
        );
    }

    #[test]
    fn a_plain_scope_leaves_out_administer() {
        assert!(validate_plain_scope(SCOPE_ALL & !SCOPE_ADMINISTER).is_ok());
        assert_eq!(
            validate_plain_scope(0).unwrap_err(),
            FlairError::RoleScope.into()
        );
        for scope in [SCOPE_ADMINISTER, SCOPE_ALL] {
            assert_eq!(
                validate_plain_scope(scope).unwrap_err(),
                FlairError::ScopeTooWide.into()
            );
        }
    }

    #[test]
    fn an_expiry_is_never_or_in_the_future() {
        assert!(validate_expiry(0, NOW).is_ok());
        assert!(validate_expiry(NOW + 1, NOW).is_ok());
        for expires_at in [NOW, NOW - 1, -1] {
            assert_eq!(
                validate_expiry(expires_at, NOW).unwrap_err(),
                FlairError::ExpiryInPast.into()
            );
        }
    }
}
