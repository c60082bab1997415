// Invites: their key pairs live in this page. The site sees public keys alone.

import { createKeyPairFromPrivateKeyBytes, getAddressFromPublicKey, getBase58Decoder, getBase58Encoder, signBytes } from "@solana/kit";
import type { Bytes } from "./bytes.ts";

/** `flair://NETWORK/CREATOR/NAME#invite=SEED`, with a sponsor perhaps. */
const LINK = /^flair:\/\/([a-z0-9._-]+)\/([1-9A-HJ-NP-Za-km-z]{32,44})\/([a-z0-9._-]+)#invite=([1-9A-HJ-NP-Za-km-z]{32,44})(&sponsor=.*)?$/;

export interface InviteKey {
  address: string;
  seed: Bytes;
  sign(message: Uint8Array): Promise<Uint8Array>;
}

export interface InviteLink {
  network: string;
  repo: string;
  key: InviteKey;
}

export async function keyOf(seed: Bytes): Promise<InviteKey> {
  const pair = await createKeyPairFromPrivateKeyBytes(seed);
  return {
    address: await getAddressFromPublicKey(pair.publicKey),
    seed,
    sign: async (message) => signBytes(pair.privateKey, message),
  };
}

export async function newKey(): Promise<InviteKey> {
  return keyOf(crypto.getRandomValues(new Uint8Array(32)));
}

/** Reads a link; null where it is none. */
export async function readLink(text: string): Promise<InviteLink | null> {
  const found = LINK.exec(text.trim());
  if (!found) return null;
  const seed = new Uint8Array(getBase58Encoder().encode(found[4]!));
  if (seed.length !== 32) return null;
  return { network: found[1]!, repo: `${found[2]}/${found[3]}`, key: await keyOf(seed) };
}

export function linkOf(network: string, repo: string, key: InviteKey): string {
  return `flair://${network}/${repo}#invite=${getBase58Decoder().decode(key.seed)}`;
}
