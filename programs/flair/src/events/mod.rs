//! All events: bytes that never change, sent by self-call (`emit_cpi!`), since logs get cut.
//!
//! An event is `sha256("event:" + Name)[..8]`, the header, then its own fields, packed. Each names the root of the events
//! before it, and folds into the next: `root = sha256("flair-event-v1\n" + event)`. New events are appended; a field is
//! never added to one that exists.
//!
//! The tables give offsets from the discriminator's first byte.

pub mod members;
pub mod merges;
pub mod repos;
pub mod rounds;

pub use {members::*, merges::*, repos::*, rounds::*};

use anchor_lang::{prelude::*, IdlType};
use bytemuck::{Pod, Zeroable};
use solana_sha256_hasher::hashv;

use crate::{
    constants::{EVENT_PREFIX, EVENT_SCHEMA},
    errors::FlairError,
};

/// What every event begins with: 121 bytes after the discriminator.
///
/// | offset | bytes | field | type |
/// |---|---|---|---|
/// | 8 | 1 | schema | u8 |
/// | 9 | 32 | repo | address |
/// | 41 | 8 | repo_seq | u64 |
/// | 49 | 32 | prev_root | 32 bytes |
/// | 81 | 8 | unix_timestamp | i64 |
/// | 89 | 32 | actor | address |
/// | 121 | 8 | reserved | 8 bytes |
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable, IdlType)]
pub struct EventHeader {
    /// 1.
    pub schema: u8,
    /// The Repo; for events of Config the Config.
    pub repo: Address,
    /// Position in the chain, 1 for the first.
    pub repo_seq: PodU64,
    /// Root of the event before; zero for the first.
    pub prev_root: [u8; 32],
    /// Unix time, seconds.
    pub unix_timestamp: PodI64,
    /// Who signed for it.
    pub actor: Address,
    /// Zero.
    pub reserved: [u8; 8],
}

impl EventHeader {
    /// Bytes of the header.
    pub const SIZE: usize = 1 // schema
        + 32 // repo
        + 8 // repo_seq
        + 32 // prev_root
        + 8 // unix_timestamp
        + 32 // actor
        + 8; // reserved
}

/// An account that chains events.
pub trait Chained {
    /// Number of events so far, and the root over them.
    fn chain(&self) -> (PodU64, [u8; 32]);
    /// Replaces both.
    fn set_chain(&mut self, event_seq: PodU64, history_root: [u8; 32]);
}

/// The header of the next event of `account`.
///
/// # Errors
/// `Overflow`.
pub fn next_header(
    account: &impl Chained,
    address: &Address,
    actor: &Address,
    now: i64,
) -> Result<EventHeader> {
    let (event_seq, history_root) = account.chain();
    Ok(EventHeader {
        schema: EVENT_SCHEMA,
        repo: *address,
        repo_seq: event_seq.checked_add(1u64).ok_or(FlairError::Overflow)?,
        prev_root: history_root,
        unix_timestamp: now.into(),
        actor: *actor,
        reserved: [0; 8],
    })
}

/// The root after an event.
pub fn event_root<E: Discriminator + Pod>(event: &E) -> [u8; 32] {
    hashv(&[EVENT_PREFIX, E::DISCRIMINATOR, bytemuck::bytes_of(event)]).to_bytes()
}

/// Makes the event with its header, folds it into the chain of the named account and emits it.
///
/// `record!(ctx.repo, actor, now, RoundClosed { branch: …, … })`: one per instruction, after every other change, so that
/// the event tells what is stored.
macro_rules! record {
    ($ctx:ident.$account:ident, $actor:expr, $now:expr, $event:ident { $($field:ident: $value:expr),* $(,)? }) => {{
        let header = $crate::events::next_header(
            &*$ctx.accounts.$account,
            $ctx.accounts.$account.address(),
            $actor,
            $now,
        )?;
        let event = $crate::events::$event { header, $($field: $value),* };
        $crate::events::Chained::set_chain(
            &mut *$ctx.accounts.$account,
            header.repo_seq,
            $crate::events::event_root(&event),
        );
        let ctx = &*$ctx; // the name that `emit_cpi!` looks for
        emit_cpi!(event);
    }};
}
pub(crate) use record;

/// Refuses to compile an event whose bytes are not those of the tables.
macro_rules! assert_sizes {
    ($($event:ident: $size:literal),* $(,)?) => {
        $(const _: () = assert!($crate::state::DISCRIMINATOR_LEN + size_of::<$event>() == $size);)*
    };
}
pub(crate) use assert_sizes;

const _: () = assert!(EventHeader::SIZE == 121);
const _: () = assert!(size_of::<EventHeader>() == EventHeader::SIZE);

#[cfg(test)]
mod tests {
    use super::*;

    struct Chain(PodU64, [u8; 32]);

    impl Chained for Chain {
        fn chain(&self) -> (PodU64, [u8; 32]) {
            (self.0, self.1)
        }

        fn set_chain(&mut self, event_seq: PodU64, history_root: [u8; 32]) {
            *self = Self(event_seq, history_root);
        }
    }

    fn address(byte: u8) -> Address {
        Address::new_from_array([byte; 32])
    }

    #[test]
    fn the_root_matches_a_digest_computed_elsewhere() {
        let chain = Chain(6u64.into(), [2; 32]);
        let header = next_header(&chain, &address(1), &address(3), 1_700_000_000).unwrap();
        let event = RoundClosed {
            header,
            branch: address(4),
            round_index: 5u64.into(),
            n_accepted: 6u16.into(),
            weight_sum: 7u32.into(),
        };
        let root: String = event_root(&event)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();

        // hashlib over the bytes of the tables, packed with Python's struct
        assert_eq!(
            root,
            "205808de3c04741b8496c205ee73d2fbc17861395bf5504e7dccb3bc90226ecf"
        );
    }

    #[test]
    fn a_full_chain_takes_no_more_events() {
        let chain = Chain(u64::MAX.into(), [2; 32]);

        assert_eq!(
            next_header(&chain, &address(1), &address(3), 0).err(),
            Some(FlairError::Overflow.into())
        );
    }
}
