//! The rules of rounds. A policy never changes: branches and rounds name another one instead.

use core::mem::MaybeUninit;

use anchor_lang::{
    prelude::*,
    wincode::{
        config::ConfigCore,
        io::{Reader, Writer},
        ReadResult, WriteResult,
    },
    IdlType,
};
use bytemuck::{Pod, Zeroable};
use solana_sha256_hasher::hashv;

use crate::{
    constants::{
        MAX_ATTESTATIONS, MAX_CHALLENGE_S, MAX_DEPOSIT_LAMPORTS, MAX_ETA_Q24, MAX_ROUND_S,
        MAX_UPDATES, MAX_WEIGHT, SCALE_EXP_RANGE,
    },
    errors::FlairError,
    state::{validate_strategy, DISCRIMINATOR_LEN},
};

/// Updates are readable by everyone.
pub const MODE_PUBLIC: u8 = 0;
/// Only sums can be opened. Not built.
pub const MODE_SECAGG: u8 = 1;
/// Updates are encrypted to a key that the policy names. Not built.
pub const MODE_ENCRYPTED: u8 = 2;

/// Anyone may push.
pub const CONTRIBUTE_OPEN: u8 = 0;
/// Pushing needs a role.
pub const CONTRIBUTE_INVITED: u8 = 1;

/// A policy of a repository.
#[account]
pub struct Policy {
    /// Layout version, 1.
    pub version: u8,
    /// Bump of the PDA.
    pub bump: u8,
    /// Position within the repository.
    pub index: PodU32,
    /// The repository.
    pub repo: Address,
    /// The rules.
    pub params: PolicyParams,
    /// Unix time, seconds.
    pub created_at: PodI64,
    /// Room; zero.
    pub reserved: [u8; 48],
}

/// The rules of a policy, also the argument of `policy_create`.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable, IdlType)]
pub struct PolicyParams {
    /// 0 public. 1 secagg and 2 encrypted are refused: not built.
    pub mode: u8,
    /// 0 none, 1 required: whether updates must carry differential privacy.
    pub dp_rule: u8,
    /// 0 none.
    pub proof_system: u8,
    /// 13 or 16: bits of the signed integers of a delta.
    pub bits: u8,
    /// 0 open, 1 invited.
    pub contribute: u8,
    /// 1: blocks of the delta go to the store only after `round_close`.
    pub reveal_after_close: u8,
    /// 1: the authority must approve a candidate before it is merged.
    pub approvals_needed: u8,
    /// How many must attest a candidate before it is merged.
    pub attestations_needed: u8,
    /// A delta is in units of 2^scale_exp.
    pub scale_exp: PodI16,
    /// 0 without proofs.
    pub columns: PodU16,
    /// How updates are merged, 1 to 13: see `strategy`.
    pub strategy: PodU16,
    /// Highest weight of an update, a power of two.
    pub weight_cap: PodU16,
    /// Fewest accepted updates of a merge.
    pub min_updates: PodU16,
    /// Most accepted updates of a round.
    pub max_updates: PodU16,
    /// Number of trainable and averaged values.
    pub n_params: PodU64,
    /// Bound of the sum of squares of a delta, in squared delta units.
    pub norm_bound_sq: PodU128,
    /// Step of the merge in units of 2^-24.
    pub eta_q24: PodU32,
    /// From `round_open` to the deadline, in seconds.
    pub round_length_s: PodU32,
    /// How long a closed round may wait for its merge after the challenge time, in seconds.
    pub merge_grace_s: PodU32,
    /// From `merge_propose` to `merge_finalize`, in seconds.
    pub challenge_s: PodU32,
    /// Rests in `Update`, goes back when it is closed.
    pub deposit_lamports: PodU64,
    /// Parameters of the strategy; zero behind the last: see `strategy`.
    pub strategy_params: [u8; 64],
    /// Zero without proofs.
    pub verifying_key: Address,
    /// Digest of the recipe that updates are made with; zero: any.
    pub recipe_digest: [u8; 32],
    /// Most passes over the data that a recipe may ask for; 0: no limit.
    pub max_epochs: PodU16,
    /// Largest batch; 0: no limit.
    pub max_batch_size: PodU32,
    /// Zero.
    pub reserved: [u8; 74],
}

impl Policy {
    /// Bytes of the account.
    pub const SIZE: usize = DISCRIMINATOR_LEN
        + 1 // version
        + 1 // bump
        + 4 // index
        + 32 // repo
        + PolicyParams::SIZE // params
        + 8 // created_at
        + 48; // reserved

    /// sha256 of the whole account data: what commits and `flair trust` name.
    pub fn digest(&self) -> [u8; 32] {
        hashv(&[Self::DISCRIMINATOR, bytemuck::bytes_of(self)]).to_bytes()
    }
}

impl PolicyParams {
    /// Bytes of the rules, as argument and within the account.
    pub const SIZE: usize = 8 // mode to attestations_needed
        + 2 // scale_exp
        + 2 // columns
        + 2 // strategy
        + 2 // weight_cap
        + 2 // min_updates
        + 2 // max_updates
        + 8 // n_params
        + 16 // norm_bound_sq
        + 4 // eta_q24
        + 4 // round_length_s
        + 4 // merge_grace_s
        + 4 // challenge_s
        + 8 // deposit_lamports
        + 64 // strategy_params
        + 32 // verifying_key
        + 32 // recipe_digest
        + 2 // max_epochs
        + 4 // max_batch_size
        + 74; // reserved

    /// Refuses whatever is outside the limits of the table in the protocol.
    ///
    /// # Errors
    /// `ModeNotBuilt`, `PolicyOutOfRange`, `StrategyBound`, `ReservedNotZero`.
    pub fn validate(&self) -> Result<()> {
        self.validate_modes()?;
        self.validate_limits()?;
        validate_strategy(
            self.strategy.get(),
            &self.strategy_params,
            self.min_updates.get(),
        )?;
        require!(self.reserved == [0; 74], FlairError::ReservedNotZero);
        Ok(())
    }

    fn validate_modes(&self) -> Result<()> {
        // Known modes that no code stands behind yet would promise what nobody keeps.
        require!(
            !matches!(self.mode, MODE_SECAGG | MODE_ENCRYPTED),
            FlairError::ModeNotBuilt
        );
        require!(self.mode == MODE_PUBLIC, FlairError::PolicyOutOfRange);
        require!(self.proof_system == 0, FlairError::ModeNotBuilt);
        // Without proofs nothing belongs to them.
        require!(
            self.columns.is_zero() && self.verifying_key == Address::default(),
            FlairError::PolicyOutOfRange
        );
        require!(
            self.dp_rule <= 1
                && self.contribute <= CONTRIBUTE_INVITED
                && self.reveal_after_close <= 1
                && self.approvals_needed <= 1
                && self.attestations_needed <= MAX_ATTESTATIONS,
            FlairError::PolicyOutOfRange
        );
        Ok(())
    }

    fn validate_limits(&self) -> Result<()> {
        let weight_cap = self.weight_cap.get();
        let (min_updates, max_updates) = (self.min_updates.get(), self.max_updates.get());
        let is_within = matches!(self.bits, 13 | 16)
            && SCALE_EXP_RANGE.contains(&self.scale_exp.get())
            && weight_cap.is_power_of_two()
            && weight_cap <= MAX_WEIGHT
            && 1 <= min_updates
            && min_updates <= max_updates
            && max_updates <= MAX_UPDATES
            && !self.n_params.is_zero()
            && !self.norm_bound_sq.is_zero()
            && (1..=MAX_ETA_Q24).contains(&self.eta_q24.get())
            && (1..=MAX_ROUND_S).contains(&self.round_length_s.get())
            && (1..=MAX_ROUND_S).contains(&self.merge_grace_s.get())
            && self.challenge_s.get() <= MAX_CHALLENGE_S
            && self.deposit_lamports.get() <= MAX_DEPOSIT_LAMPORTS;
        require!(is_within, FlairError::PolicyOutOfRange);
        Ok(())
    }
}

// SAFETY: `TYPE_META` stays `Dynamic`, which promises nothing about layout, and `dst` is written exactly when `Ok` is
// returned. Every byte sequence is a valid `PolicyParams` (`Pod`).
unsafe impl<'de, C: ConfigCore> SchemaRead<'de, C> for PolicyParams {
    type Dst = Self;

    fn read(reader: impl Reader<'de>, dst: &mut MaybeUninit<Self>) -> ReadResult<()> {
        let bytes = <[u8; Self::SIZE] as SchemaRead<'de, C>>::get(reader)?;
        dst.write(bytemuck::cast(bytes));
        Ok(())
    }
}

// SAFETY: `TYPE_META` stays `Dynamic`, and `write` writes as many bytes as `size_of` says.
unsafe impl<C: ConfigCore> SchemaWrite<C> for PolicyParams {
    type Src = Self;

    fn size_of(_src: &Self) -> WriteResult<usize> {
        Ok(Self::SIZE)
    }

    fn write(writer: impl Writer, src: &Self) -> WriteResult<()> {
        <[u8; Self::SIZE] as SchemaWrite<C>>::write(writer, bytemuck::cast_ref(src))
    }
}

/// The factor of a linear merge, `eta_q24 / weight_sum`, rounded half to even.
///
/// # Errors
/// `Overflow`: the weight sum is zero.
pub fn lambda(eta_q24: u32, weight_sum: u32) -> Result<u64> {
    let (eta, sum) = (u64::from(eta_q24), u64::from(weight_sum));
    let quotient = eta.checked_div(sum).ok_or(FlairError::Overflow)?;
    let remainder = eta.checked_rem(sum).ok_or(FlairError::Overflow)?;
    let doubled = remainder.checked_mul(2).ok_or(FlairError::Overflow)?;
    let rounds_up = doubled > sum || (doubled == sum && quotient % 2 == 1);
    Ok(quotient
        .checked_add(u64::from(rounds_up))
        .ok_or(FlairError::Overflow)?)
}

const _: () = assert!(PolicyParams::SIZE == 276);
const _: () = assert!(size_of::<PolicyParams>() == PolicyParams::SIZE);
const _: () = assert!(Policy::SIZE == 378);
const _: () = assert!(DISCRIMINATOR_LEN + size_of::<Policy>() == Policy::SIZE);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::{STRATEGY_FEDAVG, STRATEGY_KRUM};

    fn make_params() -> PolicyParams {
        PolicyParams {
            bits: 16,
            scale_exp: (-20i16).into(),
            strategy: STRATEGY_FEDAVG.into(),
            weight_cap: 64u16.into(),
            min_updates: 2u16.into(),
            max_updates: 4u16.into(),
            n_params: 10u64.into(),
            norm_bound_sq: 1u128.into(),
            eta_q24: (1u32 << 24).into(),
            round_length_s: 60u32.into(),
            merge_grace_s: 60u32.into(),
            ..Zeroable::zeroed()
        }
    }

    fn refused(change: fn(&mut PolicyParams)) -> Error {
        let mut params = make_params();
        change(&mut params);
        params.validate().unwrap_err()
    }

    #[test]
    fn lambda_rounds_half_to_even() {
        // 5/2 = 2.5 -> 2, 7/2 = 3.5 -> 4, 7/3 = 2.33 -> 2, 8/3 = 2.67 -> 3, 1/2 -> 0, 3/2 -> 2
        for (eta, sum, expected) in [
            (5, 2, 2),
            (7, 2, 4),
            (7, 3, 2),
            (8, 3, 3),
            (1, 2, 0),
            (3, 2, 2),
            (1 << 24, 1, 1 << 24),
            (u32::MAX, u32::MAX, 1),
        ] {
            assert_eq!(lambda(eta, sum).unwrap(), expected, "{eta}/{sum}");
        }
    }

    #[test]
    fn lambda_of_no_weight_is_refused() {
        assert_eq!(lambda(1, 0).unwrap_err(), FlairError::Overflow.into());
    }

    #[test]
    fn params_within_the_limits_are_accepted() {
        assert!(make_params().validate().is_ok());
    }

    #[test]
    fn approval_and_attestations_may_be_asked_for() {
        let mut params = make_params();
        params.approvals_needed = 1;
        params.attestations_needed = 16;

        assert!(params.validate().is_ok());
    }

    #[test]
    fn limits_of_training_are_the_repositorys_own() {
        let mut params = make_params();
        params.max_epochs = u16::MAX.into();
        params.max_batch_size = u32::MAX.into();

        assert!(params.validate().is_ok());
    }

    #[test]
    fn modes_that_are_not_built_are_refused() {
        let changes: [fn(&mut PolicyParams); 3] = [
            |params| params.mode = MODE_SECAGG,
            |params| params.mode = MODE_ENCRYPTED,
            |params| params.proof_system = 1,
        ];
        for change in changes {
            assert_eq!(refused(change), FlairError::ModeNotBuilt.into());
        }
    }

    #[test]
    fn params_outside_the_limits_are_refused() {
        let changes: [fn(&mut PolicyParams); 29] = [
            |params| params.approvals_needed = 2,
            |params| params.attestations_needed = 17,
            |params| params.mode = 3,
            |params| params.dp_rule = 2,
            |params| params.bits = 14,
            |params| params.contribute = 2,
            |params| params.reveal_after_close = 2,
            |params| params.scale_exp = (-41i16).into(),
            |params| params.scale_exp = 21i16.into(),
            |params| params.columns = 1u16.into(),
            |params| params.strategy = 0u16.into(),
            |params| params.weight_cap = 0u16.into(),
            |params| params.weight_cap = 3u16.into(),
            |params| params.weight_cap = 512u16.into(),
            |params| params.min_updates = 0u16.into(),
            |params| params.min_updates = 5u16.into(),
            |params| params.max_updates = 65u16.into(),
            |params| params.n_params = 0u64.into(),
            |params| params.norm_bound_sq = 0u128.into(),
            |params| params.eta_q24 = 0u32.into(),
            |params| params.eta_q24 = ((1u32 << 26) + 1).into(),
            |params| params.round_length_s = 0u32.into(),
            |params| params.round_length_s = 31_536_001u32.into(),
            |params| params.merge_grace_s = 0u32.into(),
            |params| params.merge_grace_s = 31_536_001u32.into(),
            |params| params.challenge_s = 604_801u32.into(),
            |params| params.deposit_lamports = 1_000_000_001u64.into(),
            |params| params.strategy_params[63] = 1,
            |params| params.verifying_key = Address::new_from_array([1; 32]),
        ];
        for (position, change) in changes.into_iter().enumerate() {
            assert_eq!(
                refused(change),
                FlairError::PolicyOutOfRange.into(),
                "change {position}"
            );
        }
    }

    #[test]
    fn a_strategy_that_needs_more_updates_is_refused() {
        let refusal = refused(|params| {
            params.strategy = STRATEGY_KRUM.into();
            params.min_updates = 2u16.into();
        });

        assert_eq!(refusal, FlairError::StrategyBound.into());
    }

    #[test]
    fn reserved_bytes_must_be_zero() {
        assert_eq!(
            refused(|params| params.reserved[0] = 1),
            FlairError::ReservedNotZero.into()
        );
    }
}
