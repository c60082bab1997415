//! Formatting and collections: much code of std, much of it behind tables.

use crate::runtime::Reader;
use std::collections::BTreeMap;

/// Numbers of 128 bits as text.
pub fn format(from: &mut Reader) -> Vec<u8> {
    let (a, width) = (from.u128(), from.u8() as usize);
    let signed = a as i128;
    format!(
        "{a} {signed} {a:x} {a:#034b} {a:>width$} {:?} {:5}|{:<5}|{:+}",
        Some(signed as i64),
        a as u8,
        a as u16,
        signed as i32
    )
    .into_bytes()
}

/// Sorts, counts and joins the words of a text.
pub fn collect(from: &mut Reader) -> Vec<u8> {
    let text = core::str::from_utf8(from.rest()).unwrap();
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    for word in text.split(' ') {
        *counts.entry(word).or_default() += 1;
    }
    let mut words: Vec<(u32, String)> = counts
        .iter()
        .map(|(word, n)| (*n, word.to_uppercase()))
        .collect();
    words.sort_unstable_by(|a, b| b.cmp(a));
    format!("{counts:?} {words:?}").into_bytes()
}
