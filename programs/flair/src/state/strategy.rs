//! The strategies that a policy can name, with the parameters that each takes.
//!
//! The program merges nothing. It checks what the client checks, because a policy never changes: one that no client
//! could merge by would hold its branch up until another is set.
//!
//! `strategy_params`, 64 bytes: parameter n is a u64, little-endian, at byte 8n. "q48" counts units of 2^-48. Every byte
//! behind the last parameter is zero. The last column is the least that `min_updates` may be.
//!
//! ```text
//! number  strategy          bytes 0..8          8..16               16..24              min_updates
//!      1  fedavg                                                                        1
//!      2  fedprox                                                                       1
//!      3  fedavgm           momentum q48, < 1                                           1
//!      4  fedadam           beta_1 q48, < 1     beta_2 q48, < 1     tau q48, 1 to 2^52  1
//!      5  fedyogi           beta_1 q48, < 1     beta_2 q48, < 1     tau q48, 1 to 2^52  1
//!      6  fedadagrad        beta_1 q48, < 1     tau q48, 1 to 2^52                      1
//!      7  median            f, 0 to 32                                                  2f + 1
//!      8  trimmed_mean      f, 0 to 32                                                  2f + 1
//!      9  krum              f, 0 to 32                                                  2f + 3
//!     10  multi_krum        f, 0 to 32          m, 0 to 64                              2f + 3 and m + f + 2
//!     11  geometric_median  f, 0 to 32          steps, 1 to 256                         2f + 1
//!     12  norm_clipping     f, 0 to 32          norm q48, 1 to 2^63 - 1                 2f + 1
//!     13  scaffold          rate q48, as norm   contributors,                           1
//!                                               0 to 1,000,000
//! ```

use core::ops::RangeInclusive;

use anchor_lang::prelude::*;

use crate::errors::FlairError;

/// The weighted mean.
pub const STRATEGY_FEDAVG: u16 = 1;
/// The weighted mean; contributors stay close to the base.
pub const STRATEGY_FEDPROX: u16 = 2;
/// The weighted mean with server momentum.
pub const STRATEGY_FEDAVGM: u16 = 3;
/// Adam on the server.
pub const STRATEGY_FEDADAM: u16 = 4;
/// Yogi on the server.
pub const STRATEGY_FEDYOGI: u16 = 5;
/// Adagrad on the server.
pub const STRATEGY_FEDADAGRAD: u16 = 6;
/// The median of each value.
pub const STRATEGY_MEDIAN: u16 = 7;
/// The mean of each value without its extremes.
pub const STRATEGY_TRIMMED_MEAN: u16 = 8;
/// The update closest to its neighbours.
pub const STRATEGY_KRUM: u16 = 9;
/// The mean of the updates closest to their neighbours.
pub const STRATEGY_MULTI_KRUM: u16 = 10;
/// The point closest to all updates together.
pub const STRATEGY_GEOMETRIC_MEDIAN: u16 = 11;
/// The mean of updates that are cut to a length.
pub const STRATEGY_NORM_CLIPPING: u16 = 12;
/// The mean, with control variates against drift.
pub const STRATEGY_SCAFFOLD: u16 = 13;

const PARAMS_LEN: usize = 64;
const N_SLOTS: usize = PARAMS_LEN / size_of::<PodU64>();

/// One, where units of 2^-48 are counted.
const ONE_Q48: u64 = 1 << 48;

type Limits = RangeInclusive<u64>;

/// A share of an old moment: it must fade.
const SHARE: Limits = 0..=ONE_Q48 - 1;
/// What is added to a root before it divides: not zero, and exact as a float64.
const TAU: Limits = 1..=16 * ONE_Q48;
/// Hostile updates: half of the most that a round can have.
const ATTACKERS: Limits = 0..=32;
/// Updates that are kept; 0 stands for all that the bound allows.
const KEPT: Limits = 0..=64;
/// Steps of Weiszfeld's algorithm.
const STEPS: Limits = 1..=256;
/// A length.
const NORM: Limits = 1..=(1 << 63) - 1;
/// Steps of training times their learning rate.
const RATE: Limits = 1..=(1 << 63) - 1;
/// Whoever takes part in some round; 0 stands for those of each round.
const CONTRIBUTORS: Limits = 0..=1_000_000;
/// Where no parameter stands.
const UNUSED: Limits = 0..=0;

/// Refuses a strategy that nobody knows, parameters that it cannot have, and fewer updates than its promise needs.
///
/// # Errors
/// `PolicyOutOfRange`: number or parameters. `StrategyBound`: `min_updates`.
pub fn validate_strategy(number: u16, params: &[u8; PARAMS_LEN], min_updates: u16) -> Result<()> {
    let used = limits_of(number)?;
    let values: [PodU64; N_SLOTS] = bytemuck::cast(*params);
    let limits = used.iter().chain(core::iter::repeat(&UNUSED));
    let is_within = values
        .iter()
        .zip(limits)
        .all(|(value, limits)| limits.contains(&value.get()));
    require!(is_within, FlairError::PolicyOutOfRange);
    let [first, second, ..] = values;
    require!(
        u64::from(min_updates) >= fewest_updates(number, first.get(), second.get()),
        FlairError::StrategyBound
    );
    Ok(())
}

/// Limits of a strategy's parameters, in the order of their bytes.
fn limits_of(number: u16) -> Result<&'static [Limits]> {
    Ok(match number {
        STRATEGY_FEDAVG | STRATEGY_FEDPROX => &[],
        STRATEGY_FEDAVGM => &[SHARE],
        STRATEGY_FEDADAM | STRATEGY_FEDYOGI => &[SHARE, SHARE, TAU],
        STRATEGY_FEDADAGRAD => &[SHARE, TAU],
        STRATEGY_MEDIAN | STRATEGY_TRIMMED_MEAN | STRATEGY_KRUM => &[ATTACKERS],
        STRATEGY_MULTI_KRUM => &[ATTACKERS, KEPT],
        STRATEGY_GEOMETRIC_MEDIAN => &[ATTACKERS, STEPS],
        STRATEGY_NORM_CLIPPING => &[ATTACKERS, NORM],
        STRATEGY_SCAFFOLD => &[RATE, CONTRIBUTORS],
        _ => return Err(FlairError::PolicyOutOfRange.into()),
    })
}

/// The fewest updates for which a strategy keeps its promise, from its first two parameters.
fn fewest_updates(number: u16, first: u64, second: u64) -> u64 {
    // Within their limits these sums are far below 64 bits; saturated, they would refuse as well.
    let hostile = first.saturating_mul(2);
    match number {
        STRATEGY_MEDIAN
        | STRATEGY_TRIMMED_MEAN
        | STRATEGY_GEOMETRIC_MEDIAN
        | STRATEGY_NORM_CLIPPING => hostile.saturating_add(1),
        STRATEGY_KRUM => hostile.saturating_add(3),
        STRATEGY_MULTI_KRUM => {
            let kept = second.saturating_add(first).saturating_add(2);
            kept.max(hostile.saturating_add(3))
        }
        _ => 1,
    }
}

const _: () = assert!(N_SLOTS == 8);

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: u64 = u64::MAX;

    fn judge(number: u16, values: &[u64], min_updates: u16) -> Result<()> {
        let mut params = [0; PARAMS_LEN];
        for (slot, value) in params.chunks_exact_mut(8).zip(values) {
            slot.copy_from_slice(&value.to_le_bytes());
        }
        validate_strategy(number, &params, min_updates)
    }

    // Worked by hand from the table above: smallest and largest parameters of each, with the fewest updates.
    const WITHIN: [(u16, &[u64], u16); 30] = [
        (1, &[], 1),
        (2, &[], 1),
        (3, &[0], 1),
        (3, &[281_474_976_710_655], 1),
        (4, &[0, 0, 1], 1),
        (4, &[281_474_976_710_655, 281_474_976_710_655, 1 << 52], 1),
        (5, &[0, 0, 1], 1),
        (5, &[281_474_976_710_655, 281_474_976_710_655, 1 << 52], 1),
        (6, &[0, 1], 1),
        (6, &[281_474_976_710_655, 1 << 52], 1),
        (7, &[0], 1),
        (7, &[31], 63),
        (8, &[0], 1),
        (8, &[31], 63),
        (8, &[32], 65),
        (9, &[0], 3),
        (9, &[30], 63),
        (10, &[0, 0], 3),
        (10, &[0, 1], 3),
        (10, &[0, 2], 4),
        (10, &[30, 0], 63),
        (10, &[30, 31], 63),
        (10, &[30, 32], 64),
        (10, &[0, 64], 66),
        (11, &[0, 1], 1),
        (11, &[31, 256], 63),
        (12, &[0, 1], 1),
        (12, &[31, (1 << 63) - 1], 63),
        (13, &[1, 0], 1),
        (13, &[(1 << 63) - 1, 1_000_000], 1),
    ];

    #[test]
    fn parameters_at_their_limits_are_accepted() {
        for (number, values, min_updates) in WITHIN {
            assert!(
                judge(number, values, min_updates).is_ok(),
                "{number} {values:?} {min_updates}"
            );
        }
    }

    #[test]
    fn one_update_less_than_the_bound_is_refused() {
        for (number, values, min_updates) in WITHIN {
            assert_eq!(
                judge(number, values, min_updates - 1).unwrap_err(),
                FlairError::StrategyBound.into(),
                "{number} {values:?} {min_updates}"
            );
        }
    }

    #[test]
    fn parameters_beyond_their_limits_are_refused() {
        let cases: [(u16, &[u64]); 27] = [
            (0, &[]),
            (14, &[]),
            (u16::MAX, &[]),
            (3, &[1 << 48]),
            (4, &[1 << 48, 0, 1]),
            (4, &[0, 1 << 48, 1]),
            (4, &[0, 0, 0]),
            (4, &[0, 0, (1 << 52) + 1]),
            (5, &[1 << 48, 0, 1]),
            (5, &[0, 1 << 48, 1]),
            (5, &[0, 0, 0]),
            (6, &[1 << 48, 1]),
            (6, &[0, 0]),
            (6, &[0, (1 << 52) + 1]),
            (7, &[33]),
            (8, &[MAX]),
            (9, &[33]),
            (10, &[33, 0]),
            (10, &[0, 65]),
            (11, &[33, 1]),
            (11, &[1, 0]),
            (11, &[1, 257]),
            (12, &[1, 0]),
            (12, &[1, 1 << 63]),
            (13, &[0]),
            (13, &[1 << 63]),
            (13, &[1, 1_000_001]),
        ];
        for (number, values) in cases {
            assert_eq!(
                judge(number, values, 64).unwrap_err(),
                FlairError::PolicyOutOfRange.into(),
                "{number} {values:?}"
            );
        }
    }

    #[test]
    fn bytes_behind_the_last_parameter_must_be_zero() {
        let used = [
            (1, 0),
            (2, 0),
            (3, 8),
            (4, 24),
            (5, 24),
            (6, 16),
            (7, 8),
            (8, 8),
            (9, 8),
            (10, 16),
            (11, 16),
            (12, 16),
            (13, 16),
        ];
        for (number, used) in used {
            for at in used..PARAMS_LEN {
                let mut params = [0; PARAMS_LEN];
                // A one in each parameter is within every limit.
                for slot in params[..used].chunks_exact_mut(8) {
                    slot[0] = 1;
                }
                assert!(validate_strategy(number, &params, 64).is_ok());
                params[at] = 1;
                assert_eq!(
                    validate_strategy(number, &params, 64).unwrap_err(),
                    FlairError::PolicyOutOfRange.into(),
                    "{number} byte {at}"
                );
            }
        }
    }
}
