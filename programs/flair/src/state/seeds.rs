//! Every PDA seed. `client` mirrors this file.

/// `Config`: `"config"`. Written as a literal where it is used, so that Anchor finds the bump at compile time.
pub const SEED_CONFIG: &[u8] = b"config";
/// `Repo`: `"repo"`, creator, sha256(name).
pub const SEED_REPO: &[u8] = b"repo";
/// `Policy`: `"policy"`, repo, index as u32.
pub const SEED_POLICY: &[u8] = b"policy";
/// `Branch`: `"branch"`, repo, sha256(name).
pub const SEED_BRANCH: &[u8] = b"branch";
/// `Role`: `"role"`, repo, branch or zero, grantee.
pub const SEED_ROLE: &[u8] = b"role";
/// `Invite`: `"invite"`, repo, key.
pub const SEED_INVITE: &[u8] = b"invite";
/// `JoinRequest`: `"join"`, repo, applicant.
pub const SEED_JOIN: &[u8] = b"join";
/// `Delegation`: `"delegate"`, repo, wallet, key.
pub const SEED_DELEGATE: &[u8] = b"delegate";
/// `Round`: `"round"`, branch, round index as u64.
pub const SEED_ROUND: &[u8] = b"round";
/// `Update`: `"update"`, round, contributor.
pub const SEED_UPDATE: &[u8] = b"update";
/// `MergeCandidate`: `"merge"`, round, commit id.
pub const SEED_MERGE: &[u8] = b"merge";
/// `Attestation`: `"attest"`, candidate, authority epoch as u32, attester.
pub const SEED_ATTEST: &[u8] = b"attest";
/// `Contribution`: `"contrib"`, repo, contributor.
pub const SEED_CONTRIB: &[u8] = b"contrib";
