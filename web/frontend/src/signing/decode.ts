// Reads a transaction's message: who signs, which programs are called, with which accounts and arguments.
// Written from the program's IDL alone; nothing that the server says is looked at here.

import { getAddressDecoder, getCompiledTransactionMessageDecoder } from "@solana/kit";
import { littleEndian, toHex } from "./bytes.ts";
import { INSTRUCTIONS, PROGRAM } from "./idl.ts";

/** A call of a program. Of programs other than Flair's only the address and the bytes are known. */
export interface DecodedInstruction {
  program: string;
  /** As in the IDL; null for other programs. */
  name: string | null;
  /** What the program's documentation says that it does. */
  does: string;
  /** In order; null where an optional account is left out. */
  accounts: [name: string, address: string | null][];
  /** Numbers in decimal, addresses in base58, other bytes in hex. */
  args: Record<string, string>;
  data: string;
}

export interface DecodedMessage {
  payer: string;
  signers: string[];
  blockhash: string;
  instructions: DecodedInstruction[];
}

/** What could not be read, or is not what Flair makes. */
export class MessageInvalid extends Error {}

/** Reads a legacy message; throws MessageInvalid for anything else. */
export function decodeMessage(bytes: Uint8Array): DecodedMessage {
  let read;
  try {
    read = getCompiledTransactionMessageDecoder().read(bytes, 0);
  } catch {
    throw new MessageInvalid("the message cannot be read");
  }
  const [message, end] = read;
  if (message.version !== "legacy") throw new MessageInvalid("not a legacy message");
  if (end !== bytes.length) throw new MessageInvalid(`${bytes.length - end} bytes behind the message`);
  const keys: readonly string[] = message.staticAccounts;
  if (new Set(keys).size !== keys.length) throw new MessageInvalid("an account is named twice");
  const signers = keys.slice(0, message.header.numSignerAccounts);
  const payer = signers[0];
  if (payer === undefined) throw new MessageInvalid("nobody signs");
  return {
    payer,
    signers,
    blockhash: message.lifetimeToken,
    instructions: message.instructions.map((one) => {
      const program = keyAt(keys, one.programAddressIndex);
      const addresses = (one.accountIndices ?? []).map((place) => keyAt(keys, place));
      return decodeInstruction(program, addresses, new Uint8Array(one.data ?? []));
    }),
  };
}

function keyAt(keys: readonly string[], place: number): string {
  const key = keys[place];
  if (key === undefined) throw new MessageInvalid(`there is no account ${place}`);
  return key;
}

function decodeInstruction(program: string, addresses: string[], data: Uint8Array): DecodedInstruction {
  if (program !== PROGRAM) {
    const accounts = addresses.map((one, place): [string, string] => [`account ${place + 1}`, one]);
    return { program, name: null, does: "", accounts, args: {}, data: toHex(data) };
  }
  const layout = INSTRUCTIONS[toHex(data.subarray(0, 8))];
  if (layout === undefined) throw new MessageInvalid("an instruction that the program does not have");
  if (addresses.length < layout.accounts.length) throw new MessageInvalid(`${layout.name}: accounts are missing`);
  const accounts = addresses.map((address, place): [string, string | null] => {
    const name = layout.accounts[place] ?? `more ${place - layout.accounts.length + 1}`;
    // The program's own address stands for an optional account that is left out.
    if (name.endsWith("?")) return [name.slice(0, -1), address === PROGRAM ? null : address];
    return [name, address];
  });
  const args = decodeArgs(layout.name, layout.args, data.subarray(8));
  return { program, name: layout.name, does: layout.does, accounts, args, data: toHex(data) };
}

function decodeArgs(name: string, fields: string[][], data: Uint8Array): Record<string, string> {
  const args: Record<string, string> = {};
  let at = 0;
  const take = (size: number): Uint8Array => {
    if (at + size > data.length) throw new MessageInvalid(`${name}: its arguments are cut off`);
    at += size;
    return data.subarray(at - size, at);
  };
  for (const [field, type] of fields as [string, string][]) {
    const value = decodeField(type, take);
    if (value === null) throw new MessageInvalid(`${name}: ${field} is not zero`);
    if (!type.startsWith("zero:")) args[field] = value;
  }
  if (at !== data.length) throw new MessageInvalid(`${name}: ${data.length - at} bytes behind its arguments`);
  return args;
}

/** Gives a field as text; null for reserved bytes that are not zero. */
function decodeField(type: string, take: (size: number) => Uint8Array): string | null {
  const integer = /^([ui])(8|16|32|64|128)$/.exec(type);
  if (integer) return littleEndian(take(Number(integer[2]) / 8), integer[1] === "i").toString();
  if (type === "pubkey") return getAddressDecoder().decode(take(32));
  if (type === "text") {
    const size = Number(littleEndian(take(4), false));
    return new TextDecoder("utf-8", { fatal: true }).decode(take(size));
  }
  const [kind, size] = type.split(":");
  const bytes = take(Number(size));
  if (kind === "zero" && bytes.some((byte) => byte !== 0)) return null;
  return toHex(bytes);
}

/** Gives an account of an instruction by name; undefined where the instruction has none of that name. */
export function accountOf(instruction: DecodedInstruction, name: string): string | null | undefined {
  return instruction.accounts.find(([one]) => one === name)?.[1];
}
