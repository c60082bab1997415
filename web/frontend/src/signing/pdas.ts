// Where the program's accounts live; mirrors the program's seeds (docs/protocol.md, section 1).

import { type Address, getAddressEncoder, getProgramDerivedAddress } from "@solana/kit";
import { fromHex, sha256 } from "./bytes.ts";
import { PROGRAM } from "./idl.ts";

type Seed = Uint8Array | string;
export const NOBODY = "11111111111111111111111111111111";

async function find(...seeds: Seed[]): Promise<string> {
  const [address] = await getProgramDerivedAddress({ programAddress: PROGRAM as Address, seeds });
  return address;
}

function key(address: string): Uint8Array {
  return new Uint8Array(getAddressEncoder().encode(address as Address));
}

function number(value: bigint, size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, place) => Number((value >> BigInt(8 * place)) & 255n));
}

async function nameDigest(name: string): Promise<Uint8Array> {
  return sha256(new TextEncoder().encode(name));
}

export const findRepo = async (creator: string, name: string) => find("repo", key(creator), await nameDigest(name));
export const findBranch = async (repo: string, name: string) => find("branch", key(repo), await nameDigest(name));
export const findPolicy = (repo: string, index: bigint) => find("policy", key(repo), number(index, 4));
export const findRole = (repo: string, branch: string | null, grantee: string) =>
  find("role", key(repo), key(branch ?? NOBODY), key(grantee));
export const findInvite = (repo: string, inviteKey: string) => find("invite", key(repo), key(inviteKey));
export const findRound = (branch: string, index: bigint) => find("round", key(branch), number(index, 8));
export const findUpdate = (round: string, contributor: string) => find("update", key(round), key(contributor));
export const findCandidate = (round: string, commitHex: string) => find("merge", key(round), fromHex(commitHex));
export const findRequest = (repo: string, applicant: string) => find("join", key(repo), key(applicant));
