//! Events of invites, requests to join, delegations and the change of authority.

use anchor_lang::prelude::*;

use crate::events::{assert_sizes, EventHeader};

/// An invite was made.
///
/// | offset | bytes | field | type |
/// |---|---|---|---|
/// | 8 | 121 | header | `EventHeader` |
/// | 129 | 32 | key | address |
/// | 161 | 32 | branch | address |
/// | 193 | 2 | scope | u16 |
/// | 195 | 8 | expires_at | i64 |
/// | 203 | 8 | role_expires_at | i64 |
/// | 211 | 2 | uses | u16 |
#[event(bytemuck)]
pub struct InviteCreated {
    /// What every event begins with.
    pub header: EventHeader,
    /// Whoever has its secret may redeem.
    pub key: Address,
    /// Where the roles hold; zero: the whole repository.
    pub branch: Address,
    /// Bits: 1 contribute, 2 merge, 4 attest.
    pub scope: PodU16,
    /// Unix time: the invite's.
    pub expires_at: PodI64,
    /// Unix time: the roles'; 0: never.
    pub role_expires_at: PodI64,
    /// How often it can be redeemed.
    pub uses: PodU16,
}

/// An invite was redeemed: the grantee has a role by it, without a `RoleGranted` of its own.
///
/// | offset | bytes | field | type |
/// |---|---|---|---|
/// | 8 | 121 | header | `EventHeader` |
/// | 129 | 32 | key | address |
/// | 161 | 32 | grantee | address |
/// | 193 | 32 | branch | address |
/// | 225 | 2 | scope | u16 |
/// | 227 | 8 | role_expires_at | i64 |
/// | 235 | 2 | uses_left | u16 |
#[event(bytemuck)]
pub struct InviteRedeemed {
    /// What every event begins with.
    pub header: EventHeader,
    /// The invite's key.
    pub key: Address,
    /// Who may act.
    pub grantee: Address,
    /// Where; zero: the whole repository.
    pub branch: Address,
    /// Bits: 1 contribute, 2 merge, 4 attest.
    pub scope: PodU16,
    /// Unix time; 0: never.
    pub role_expires_at: PodI64,
    /// 0: the invite was closed.
    pub uses_left: PodU16,
}

/// An invite was closed before its uses were spent.
///
/// | offset | bytes | field | type |
/// |---|---|---|---|
/// | 8 | 121 | header | `EventHeader` |
/// | 129 | 32 | key | address |
#[event(bytemuck)]
pub struct InviteRevoked {
    /// What every event begins with.
    pub header: EventHeader,
    /// The invite's key.
    pub key: Address,
}

/// Somebody asked for a role.
///
/// | offset | bytes | field | type |
/// |---|---|---|---|
/// | 8 | 121 | header | `EventHeader` |
/// | 129 | 32 | applicant | address |
/// | 161 | 32 | branch | address |
/// | 193 | 2 | scope | u16 |
/// | 195 | 32 | note_digest | 32 bytes |
#[event(bytemuck)]
pub struct JoinRequested {
    /// What every event begins with.
    pub header: EventHeader,
    /// Who asks.
    pub applicant: Address,
    /// For where; zero: the whole repository.
    pub branch: Address,
    /// Bits: 1 contribute, 2 merge, 4 attest.
    pub scope: PodU16,
    /// Digest of a raw block with the applicant's words; zero: none.
    pub note_digest: [u8; 32],
}

/// A request was closed: answered, refused or taken back.
///
/// | offset | bytes | field | type |
/// |---|---|---|---|
/// | 8 | 121 | header | `EventHeader` |
/// | 129 | 32 | applicant | address |
/// | 161 | 32 | branch | address |
#[event(bytemuck)]
pub struct JoinClosed {
    /// What every event begins with.
    pub header: EventHeader,
    /// Who asked.
    pub applicant: Address,
    /// For where; zero: the whole repository.
    pub branch: Address,
}

/// A wallet lets another key push for it.
///
/// | offset | bytes | field | type |
/// |---|---|---|---|
/// | 8 | 121 | header | `EventHeader` |
/// | 129 | 32 | wallet | address |
/// | 161 | 32 | key | address |
/// | 193 | 8 | expires_at | i64 |
#[event(bytemuck)]
pub struct DelegationCreated {
    /// What every event begins with.
    pub header: EventHeader,
    /// Whom pushes count for.
    pub wallet: Address,
    /// Who may sign them.
    pub key: Address,
    /// Unix time.
    pub expires_at: PodI64,
}

/// A delegation was closed.
///
/// | offset | bytes | field | type |
/// |---|---|---|---|
/// | 8 | 121 | header | `EventHeader` |
/// | 129 | 32 | wallet | address |
/// | 161 | 32 | key | address |
#[event(bytemuck)]
pub struct DelegationRevoked {
    /// What every event begins with.
    pub header: EventHeader,
    /// Whom pushes counted for.
    pub wallet: Address,
    /// Who could sign them.
    pub key: Address,
}

/// The repository was offered to a wallet, or the offer was taken back.
///
/// | offset | bytes | field | type |
/// |---|---|---|---|
/// | 8 | 121 | header | `EventHeader` |
/// | 129 | 32 | new_authority | address |
#[event(bytemuck)]
pub struct AuthorityOffered {
    /// What every event begins with.
    pub header: EventHeader,
    /// Zero: the offer was taken back.
    pub new_authority: Address,
}

/// The repository has another authority; roles and invites of older epochs are void.
///
/// | offset | bytes | field | type |
/// |---|---|---|---|
/// | 8 | 121 | header | `EventHeader` |
/// | 129 | 32 | old_authority | address |
/// | 161 | 32 | new_authority | address |
/// | 193 | 4 | authority_epoch | u32 |
#[event(bytemuck)]
pub struct AuthorityAccepted {
    /// What every event begins with.
    pub header: EventHeader,
    /// Who had the authority.
    pub old_authority: Address,
    /// Who has it.
    pub new_authority: Address,
    /// From here on.
    pub authority_epoch: PodU32,
}

assert_sizes! {
    AuthorityOffered: 161,
    AuthorityAccepted: 197,
    InviteCreated: 213,
    InviteRedeemed: 237,
    InviteRevoked: 161,
    JoinRequested: 227,
    JoinClosed: 193,
    DelegationCreated: 201,
    DelegationRevoked: 193,
}
