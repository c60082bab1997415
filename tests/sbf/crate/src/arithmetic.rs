//! Products, quotients and shifts wider than a register, and their checks.

use crate::runtime::Reader;

/// u64 x u64 -> u128, u128 x u128 -> u128 (wrapping), i64 x i64 -> i128.
pub fn wide(from: &mut Reader) -> Vec<u8> {
    let (a, b) = (from.u128(), from.u128());
    let mut out = (a as u64 as u128 * b as u64 as u128).to_le_bytes().to_vec();
    out.extend(a.wrapping_mul(b).to_le_bytes());
    out.extend((a as i64 as i128 * b as i64 as i128).to_le_bytes());
    out
}

fn option<const N: usize>(value: Option<[u8; N]>) -> Vec<u8> {
    match value {
        Some(bytes) => core::iter::once(1).chain(bytes).collect(),
        None => vec![0],
    }
}

macro_rules! by_type {
    ($from:ident, $a:ident $b:ident => $value:expr, $($number:literal $type:ident)*) => {
        match $from.u8() {
            $($number => { let ($a, $b) = ($from.$type(), $from.$type()); $value })*
            _ => vec![9],
        }
    };
}

/// checked_mul of each type: 0, or 1 and the product.
pub fn checked(from: &mut Reader) -> Vec<u8> {
    by_type!(from, a b => option(a.checked_mul(b).map(|v| v.to_le_bytes())),
        0 u32 1 i32 2 u64 3 i64 4 u128 5 i128)
}

/// Quotient and remainder of each type: 0, or 1 and the number.
pub fn divide(from: &mut Reader) -> Vec<u8> {
    by_type!(from, a b => {
        let mut out = option(a.checked_div(b).map(|v| v.to_le_bytes()));
        // else the compiler makes the remainder of the quotient
        let (a, b) = core::hint::black_box((a, b));
        out.extend(option(a.checked_rem(b).map(|v| v.to_le_bytes())));
        out
    }, 0 u32 1 i32 2 u64 3 i64 4 u128 5 i128)
}

/// Shifts of 128 bits by a distance that is only known now.
pub fn shift(from: &mut Reader) -> Vec<u8> {
    let (a, by) = (from.u128(), from.u8() as u32);
    let mut out = (a << by).to_le_bytes().to_vec();
    out.extend((a >> by).to_le_bytes());
    out.extend((a as i128 >> by).to_le_bytes());
    out.extend(a.rotate_left(by).to_le_bytes());
    out
}

/// Counts and byte order.
pub fn bits(from: &mut Reader) -> Vec<u8> {
    let a = from.u128();
    let low = a as u64;
    let counts = [
        a.leading_zeros(),
        a.trailing_zeros(),
        a.count_ones(),
        low.leading_zeros(),
        low.trailing_zeros(),
        low.count_ones(),
    ];
    let mut out: Vec<u8> = counts.iter().map(|&count| count as u8).collect();
    out.extend(a.swap_bytes().to_le_bytes());
    out.extend(low.reverse_bits().to_le_bytes());
    out
}
