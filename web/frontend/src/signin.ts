// Signing in: `solana:signIn` where the wallet has it, else a text by `solana:signMessage`.

import type { Wallet } from "@wallet-standard/base";
import type { Challenge, Session } from "./protocol.ts";
import { post, take } from "./session.ts";
import { type Chain, connect, features, inUse, use } from "./wallets.ts";

const base64 = (bytes: Uint8Array) => btoa(String.fromCharCode(...bytes));

/** Proves the wallet's address to the site. */
export async function signIn(wallet: Wallet, chain: Chain): Promise<Session> {
  const found = features(wallet);
  const signed = found["solana:signIn"] ? await bySignIn(wallet, chain) : await byText(wallet, chain);
  return take(await post<Session>("/session/sign-in", signed));
}

interface Signed {
  address: string;
  message: string;
  signature: string;
}

async function bySignIn(wallet: Wallet, chain: Chain): Promise<Signed> {
  const { text: _, ...fields } = await challenge({});
  const [output] = await features(wallet)["solana:signIn"]!.signIn(fields);
  if (output === undefined) throw new Error("the wallet gave no answer");
  if (inUse() === null || inUse()!.account.address !== output.account.address) use(wallet, output.account);
  if (!output.account.chains.includes(chain)) throw new Error(`the account is not for ${chain}`);
  return {
    address: output.account.address,
    message: base64(output.signedMessage),
    signature: base64(output.signature),
  };
}

async function byText(wallet: Wallet, chain: Chain): Promise<Signed> {
  const sign = features(wallet)["solana:signMessage"];
  if (!sign) throw new Error(`${wallet.name} signs no texts, so it cannot sign in`);
  const { account } = await connect(wallet, chain);
  const { text } = await challenge({ address: account.address });
  const message = new TextEncoder().encode(text ?? "");
  const [output] = await sign.signMessage({ account, message });
  if (output === undefined) throw new Error("the wallet gave no answer");
  return { address: account.address, message: base64(output.signedMessage), signature: base64(output.signature) };
}

/** Asks what is to be signed, and refuses to sign for another site. */
async function challenge(body: object): Promise<Challenge> {
  const asked = await post<Challenge>("/session/challenge", body);
  if (asked.domain !== location.host || asked.uri !== location.origin) {
    throw new Error(`the site asks you to sign in to ${asked.domain}: nothing was signed`);
  }
  return asked;
}

export async function signOut(): Promise<Session> {
  return take(await post<Session>("/session/sign-out", {}));
}
