// Wallets that announce themselves by the Wallet Standard, and the one in use.

import { getWallets } from "@wallet-standard/app";
import type { Wallet, WalletAccount } from "@wallet-standard/base";
import type {
  SolanaSignInFeature,
  SolanaSignMessageFeature,
  SolanaSignTransactionFeature,
} from "@solana/wallet-standard-features";
import type { StandardConnectFeature, StandardDisconnectFeature, StandardEventsFeature } from "@wallet-standard/features";

type Features = Partial<
  SolanaSignInFeature &
    SolanaSignMessageFeature &
    SolanaSignTransactionFeature &
    StandardConnectFeature &
    StandardDisconnectFeature &
    StandardEventsFeature
>;

/** A wallet in use, and its account. */
export interface Connected {
  wallet: Wallet;
  account: WalletAccount;
}

export type Chain = `${string}:${string}`;

const LAST = "flair-wallet";
let connected: Connected | null = null;

export function features(wallet: Wallet): Features {
  return wallet.features as Features;
}

/** Gives why a wallet cannot be used here; null where it can. */
export function unusable(wallet: Wallet, chain: Chain): string | null {
  const found = features(wallet);
  if (!found["standard:connect"]) return "it cannot be connected to a page";
  const sign = found["solana:signTransaction"];
  if (!sign) return "it cannot sign transactions without sending them";
  if (!sign.supportedTransactionVersions.includes("legacy")) return "it does not sign legacy transactions";
  if (!wallet.chains.includes(chain)) return `it does not know the network ${chain}`;
  return null;
}

/** Gives every Solana wallet in this browser. */
export function solanaWallets(): Wallet[] {
  return getWallets()
    .get()
    .filter((one) => one.chains.some((chain) => chain.startsWith("solana:")));
}

/** Calls back whenever a wallet comes or goes. */
export function onWallets(changed: () => void): void {
  getWallets().on("register", changed);
  getWallets().on("unregister", changed);
}

/** Asks a wallet for its account; silently where it was allowed before. */
export async function connect(wallet: Wallet, chain: Chain, options: { silent?: boolean } = {}): Promise<Connected> {
  const { accounts } = await features(wallet)["standard:connect"]!.connect(options.silent ? { silent: true } : undefined);
  const account = accounts.find((one) => one.chains.includes(chain));
  if (account === undefined) throw new Error(`${wallet.name} has no account for ${chain}`);
  return use(wallet, account);
}

/** Makes a wallet the one in use. */
export function use(wallet: Wallet, account: WalletAccount): Connected {
  localStorage.setItem(LAST, wallet.name);
  return (connected = { wallet, account });
}

export function inUse(): Connected | null {
  return connected;
}

/** Forgets the wallet in use, and has it forget this page. */
export async function disconnect(): Promise<void> {
  const wallet = connected?.wallet;
  connected = null;
  localStorage.removeItem(LAST);
  if (wallet) await features(wallet)["standard:disconnect"]?.disconnect();
}

/** Whether a wallet was used here and not signed out since. */
export function wasUsed(): boolean {
  return localStorage.getItem(LAST) !== null;
}

/** Gives the wallet that was used last, if it is here. */
export function lastUsed(chain: Chain): Wallet | null {
  const name = localStorage.getItem(LAST);
  return solanaWallets().find((one) => one.name === name && unusable(one, chain) === null) ?? null;
}

/** Calls back when the wallet in use shows another account, or none. */
export function onAccount(wallet: Wallet, changed: (account: WalletAccount | null) => void): () => void {
  const events = features(wallet)["standard:events"];
  if (!events) return () => {};
  return events.on("change", ({ accounts }) => {
    if (accounts === undefined) return;
    const account = accounts[0] ?? null;
    connected = account === null ? null : { wallet, account };
    changed(account);
  });
}
