//! Names of repositories and branches.

use anchor_lang::prelude::*;

use crate::{constants::MAX_NAME_LEN, errors::FlairError};

/// Accepts 1 to 64 bytes of `a-z 0-9 . _ -` that begin with a letter or a digit.
///
/// # Errors
/// `NameInvalid`.
pub fn validate_name(name: &[u8]) -> Result<()> {
    let is_alphanumeric = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    require!(name.len() <= MAX_NAME_LEN, FlairError::NameInvalid);
    require!(
        name.first().is_some_and(is_alphanumeric),
        FlairError::NameInvalid
    );
    require!(
        name.iter()
            .all(|byte| is_alphanumeric(byte) || matches!(byte, b'.' | b'_' | b'-')),
        FlairError::NameInvalid
    );
    Ok(())
}

/// A validated name as it is stored: zero-filled, with its length.
///
/// # Errors
/// `NameInvalid`.
pub fn stored_name(name: &[u8]) -> Result<([u8; MAX_NAME_LEN], u8)> {
    validate_name(name)?;
    let mut stored = [0; MAX_NAME_LEN];
    stored[..name.len()].copy_from_slice(name);
    Ok((stored, name.len() as u8)) // at most 64
}

/// The bytes of a stored name; empty where the length is out of range, which `invariant` refuses.
pub fn name_bytes(stored: &[u8; MAX_NAME_LEN], len: u8) -> &[u8] {
    stored.get(..usize::from(len)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_allowed_alphabet_are_accepted() {
        for name in ["a", "7", "heart-disease", "v1.0_rc-2", &"x".repeat(64)] {
            assert!(validate_name(name.as_bytes()).is_ok(), "{name}");
        }
    }

    #[test]
    fn other_names_are_refused() {
        let long = "x".repeat(65);
        for name in [
            "", ".a", "-a", "_a", "A", "aB", "a b", "a/b", "a\0", "ä", &long,
        ] {
            assert!(validate_name(name.as_bytes()).is_err(), "{name}");
        }
    }

    #[test]
    fn a_stored_name_is_zero_filled_and_read_back() {
        let (stored, len) = stored_name(b"main").unwrap();

        assert_eq!(&stored[..5], b"main\0");
        assert_eq!(name_bytes(&stored, len), b"main");
        assert_eq!(name_bytes(&stored, 65), b"");
    }
}
