//! Calls through tables and pointers, and calls with more than five registers of arguments.

use crate::runtime::Reader;
use core::hint::black_box;

trait Shape {
    fn area(&self, scale: u64) -> u64;
    fn name(&self) -> &'static str {
        "shape"
    }
}

struct Square(u64);
struct Rectangle(u64, u64);

impl Shape for Square {
    fn area(&self, scale: u64) -> u64 {
        self.0.wrapping_mul(self.0).wrapping_mul(scale)
    }
}

impl Shape for Rectangle {
    fn area(&self, scale: u64) -> u64 {
        self.0.wrapping_mul(self.1).wrapping_add(scale)
    }
    fn name(&self) -> &'static str {
        "rectangle"
    }
}

/// Areas and names of shapes behind one trait.
pub fn objects(from: &mut Reader) -> Vec<u8> {
    let mut shapes: Vec<Box<dyn Shape>> = Vec::new();
    for _ in 0..from.u8() {
        shapes.push(match from.u8() {
            0 => Box::new(Square(from.u64())),
            _ => Box::new(Rectangle(from.u64(), from.u64())),
        });
    }
    let scale = from.u64();
    let mut out = Vec::new();
    for shape in black_box(&shapes) {
        out.extend(shape.area(scale).to_le_bytes());
        out.extend(shape.name().as_bytes());
    }
    out
}

type Numbers = fn(u64, u64, u64, u64, u64, u64, u64, u8) -> u64;

#[inline(never)]
fn weighted(a: u64, b: u64, c: u64, d: u64, e: u64, f: u64, g: u64, h: u8) -> u64 {
    [a, b, c, d, e, f, g, h as u64]
        .iter()
        .zip(1u64..)
        .fold(0, |sum, (value, weight)| {
            sum.wrapping_add(value.wrapping_mul(weight))
        })
}

#[inline(never)]
fn mixed(a: u64, b: u64, c: u64, d: u64, e: u64, f: u64, g: u64, h: u8) -> u64 {
    (a ^ b.rotate_left(1) ^ c.rotate_left(2) ^ d.rotate_left(3))
        ^ (e ^ f).rotate_left(4)
        ^ g
        ^ h as u64
}

/// Wide arguments that straddle the fifth register, and a wide answer.
#[inline(never)]
fn wide(a: u64, b: u128, c: u8, d: u128, e: &u128) -> u128 {
    b.wrapping_add(d << 1)
        .wrapping_sub(*e)
        .wrapping_add(a as u128 * c as u128)
}

/// Five registers, and a sixth for the pointer to the wide answer.
#[inline(never)]
fn five(a: u64, b: u64, c: u64, d: u64, e: u64) -> u128 {
    (a as u128) << 64 | (b ^ c ^ d ^ e) as u128
}

#[inline(never)]
fn pair(a: u64, b: u64, c: u64, d: u64, e: u64) -> Option<u64> {
    a.checked_add(b)?
        .checked_add(c)?
        .checked_add(d)?
        .checked_add(e)
}

struct Large([u64; 6]);

/// A large answer goes through a pointer, which counts as well.
#[inline(never)]
fn large(a: u64, b: u64, c: u64, d: u64, e: u64, f: u64) -> Large {
    Large([f, e, d, c, b, a])
}

#[inline(never)]
fn down(n: u64, a: u64, b: u64, c: u64, d: u64, e: u64) -> u64 {
    if n == 0 {
        a ^ e
    } else {
        down(n - 1, b, c, d, e, a).wrapping_add(n)
    }
}

/// Every one of the above, by name and through a pointer that is only known now.
pub fn many(from: &mut Reader) -> Vec<u8> {
    let which = from.u8() as usize;
    let [a, b, c, d, e, f, g] = [(); 7].map(|_| from.u64());
    let (h, x, y, z) = (from.u8(), from.u128(), from.u128(), from.u128());
    let table: [Numbers; 2] = black_box([weighted, mixed]);
    let mut out = weighted(a, b, c, d, e, f, g, h).to_le_bytes().to_vec();
    out.extend(table[which](a, b, c, d, e, f, g, h).to_le_bytes());
    out.extend(
        black_box(wide as fn(u64, u128, u8, u128, &u128) -> u128)(a, x, h, y, &z).to_le_bytes(),
    );
    out.extend(wide(b, y, h, x, &z).to_le_bytes());
    out.extend(black_box(five as fn(u64, u64, u64, u64, u64) -> u128)(a, b, c, d, e).to_le_bytes());
    out.extend(
        match black_box(pair as fn(u64, u64, u64, u64, u64) -> Option<u64>)(a, b, c, d, e) {
            Some(sum) => [&[1], &sum.to_le_bytes()[..]].concat(),
            None => vec![0],
        },
    );
    for value in black_box(large as fn(u64, u64, u64, u64, u64, u64) -> Large)(a, b, c, d, e, f).0 {
        out.extend(value.to_le_bytes());
    }
    out.extend(down(9, a, b, c, d, e).to_le_bytes());
    out
}
