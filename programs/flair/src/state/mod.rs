//! Accounts of the program, one noun per file. Bytes: `docs/protocol.md`, section 1.
//!
//! All are zero-copy with alignment 1, of fixed size, with a version, the stored bump and reserved bytes.

pub mod seeds;

pub mod config;
pub mod repo;

pub mod policy;

pub mod strategy;

pub mod branch;

pub mod role;

pub mod invite;

pub mod join_request;

pub mod delegation;

pub mod round;

pub mod update;

pub mod merge_candidate;

pub mod attestation;

pub mod contribution;

pub mod name;

pub use {
    attestation::*, branch::*, config::*, contribution::*, delegation::*, invite::*,
    join_request::*, merge_candidate::*, policy::*, repo::*, role::*, round::*, seeds::*,
    strategy::*, update::*,
};

/// Bytes of Anchor's account discriminator.
pub const DISCRIMINATOR_LEN: usize = 8;
