// What the page's script lends to this one: session and wallet, of which there is one each.

import type { Wallet } from "@wallet-standard/base";
import type { Session } from "../protocol.ts";
import type { Chain, Connected, features } from "../wallets.ts";

export interface Tools {
  session(): Promise<Session>;
  post<T>(path: string, body: object): Promise<T>;
  get<T>(path: string): Promise<T>;
  inUse(): Connected | null;
  connect(wallet: Wallet, chain: Chain, options?: { silent?: boolean }): Promise<Connected>;
  lastUsed(chain: Chain): Wallet | null;
  features: typeof features;
}

/** Words for whatever went wrong: the site's refusal with its advice, the wallet's own, or ours. */
export function wordsFor(error: unknown): string {
  const { message, advice } = error as { message?: string; advice?: string };
  return [message ?? String(error), advice].filter(Boolean).join(" ");
}
