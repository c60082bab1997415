// Whether a message does what the site says that it does, and what the user asked for. Every difference is a reason to
// refuse; what may be asked for by which action is in `expect`.

import type { IntendedInstruction, Plan, Request } from "../protocol.ts";
import { type DecodedInstruction, type DecodedMessage, decodeMessage } from "./decode.ts";
import { expectations } from "./expect.ts";
import { fromBase64 } from "./bytes.ts";
import { PROGRAM } from "./idl.ts";

/** Networks whose hash every wallet knows; on all others test money is used. */
export const GENESIS: Readonly<Record<string, string>> = {
  "5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d": "solana:mainnet",
  EtWTRABZaYq6iMfeYKouRu166VU2xqa1wcaWoxPkrZBG: "solana:devnet",
  "4uhcVJyU9pJkvQyS88uRDiswHXSCkY3zQawwpjk2NsNY": "solana:testnet",
};
export const OTHER_NETWORK = "solana:localnet";
/** What a signature costs; the site may name no smaller fee. */
export const LAMPORTS_PER_SIGNATURE = 5000;

/** What the page knows by itself, apart from everything that the site says. */
export interface Known {
  wallet: string;
  request: Request;
  /** Keys besides the wallet's that sign here, such as that of an invite. */
  others: string[];
  /** Of the commit that the page checked; null where there is none. */
  commit: string | null;
  now: number;
}

/** A plan whose message was read, and why it is refused; no reasons where it is not. */
export interface Checked {
  message: DecodedMessage;
  reasons: string[];
}

/** Reads a plan's message and compares it; throws MessageInvalid where it cannot be read. */
export async function checkPlan(plan: Plan, known: Known): Promise<Checked> {
  const message = decodeMessage(fromBase64(plan.message));
  const reasons = [
    ...wrongNetwork(plan),
    ...wrongSigners(message, plan, known),
    ...differences(plan.instructions, message.instructions),
  ];
  if (plan.fee_lamports < LAMPORTS_PER_SIGNATURE * message.signers.length) reasons.push("the fee is more than the site says");
  reasons.push(...(await expectations(message, known)));
  return { message, reasons };
}

function wrongNetwork(plan: Plan): string[] {
  const chain = GENESIS[plan.genesis_hash] ?? OTHER_NETWORK;
  return chain === plan.chain ? [] : [`the network is ${chain} by its genesis hash, the site says ${plan.chain}`];
}

function wrongSigners(message: DecodedMessage, plan: Plan, known: Known): string[] {
  const reasons = [];
  if (message.payer !== known.wallet) reasons.push(`${message.payer} would pay, your wallet is ${known.wallet}`);
  if (plan.wallet !== known.wallet) reasons.push(`the transaction was made for ${plan.wallet}`);
  const others = message.signers.filter((one) => one !== known.wallet && !known.others.includes(one));
  if (others.length > 0) reasons.push(`others would have to sign: ${others.join(", ")}`);
  return reasons;
}

/** Says where the message is not what the site says: every account and every argument of every instruction. */
export function differences(intended: IntendedInstruction[], found: DecodedInstruction[]): string[] {
  if (intended.length !== found.length) {
    return [`the message has ${found.length} instructions, the site says ${intended.length}`];
  }
  return intended.flatMap((wanted, place) => differencesOf(wanted, found[place]!));
}

function differencesOf(wanted: IntendedInstruction, found: DecodedInstruction): string[] {
  if (found.program !== PROGRAM) return [`the message calls the program ${found.program}`];
  if (found.name !== wanted.name) return [`the message calls ${found.name}, the site says ${wanted.name}`];
  const reasons = [];
  if (wanted.accounts.length !== found.accounts.length) reasons.push(`${wanted.name}: another number of accounts`);
  for (const [place, [name, address]] of found.accounts.entries()) {
    const said = wanted.accounts[place];
    if (said === undefined || said[0] !== name || said[1] !== address) {
      reasons.push(`${wanted.name}: the account ${name} is ${address ?? "left out"}, the site says ${said?.[1] ?? "none"}`);
    }
  }
  for (const name of new Set([...Object.keys(wanted.args), ...Object.keys(found.args)])) {
    if (wanted.args[name] !== found.args[name]) {
      reasons.push(`${wanted.name}: ${name} is ${found.args[name]}, the site says ${wanted.args[name]}`);
    }
  }
  return reasons;
}
