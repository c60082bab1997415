// What came back from a wallet: ours, signed, and nothing else but what wallets add for safety.

import { type Address, type SignatureBytes, getPublicKeyFromAddress, getTransactionDecoder, verifySignature } from "@solana/kit";
import { type Bytes, sameBytes } from "./bytes.ts";
import { type DecodedInstruction, decodeMessage } from "./decode.ts";

/** Programs whose instructions a wallet may add: fees, and assertions that stop a transaction. */
export const ADDED: ReadonlySet<string> = new Set([
  "ComputeBudget111111111111111111111111111111",
  "L2TExMFKdjpN9kozasaurPirfHy9P8sbXoAN1qA3S95",
]);
const SIGNATURE_SIZE = 64;

/** Gives a message as a transaction that nobody has signed. */
export function withoutSignatures(message: Uint8Array): Bytes {
  const count = message[0]!;
  const wire = new Uint8Array(1 + count * SIGNATURE_SIZE + message.length);
  wire[0] = count;
  wire.set(message, 1 + count * SIGNATURE_SIZE);
  return wire;
}

/** A transaction that came back, and why it is refused. */
export interface Returned {
  wire: Bytes;
  message: Uint8Array;
  signers: string[];
  /** Words for each instruction that the wallet added. */
  added: string[];
  reasons: string[];
}

/** Compares what the wallet gave back with the message that it was given. */
export async function checkReturned(wire: Uint8Array, asked: Uint8Array, wallet: string): Promise<Returned> {
  const transaction = getTransactionDecoder().decode(wire);
  const message = new Uint8Array(transaction.messageBytes);
  const found = decodeMessage(message);
  const wanted = decodeMessage(asked);
  const reasons: string[] = [];
  if (found.signers.join() !== wanted.signers.join()) reasons.push("the wallet changed who signs");
  const added = missingOrAdded(found.instructions, wanted.instructions, reasons);
  const signature = transaction.signatures[wallet as Address];
  const key = await getPublicKeyFromAddress(wallet as Address);
  if (!signature || !(await verifySignature(key, signature as SignatureBytes, message))) {
    reasons.push("the wallet did not sign with the account that you chose");
  }
  return { wire: new Uint8Array(wire), message, signers: found.signers, added, reasons };
}

function missingOrAdded(found: DecodedInstruction[], wanted: DecodedInstruction[], reasons: string[]): string[] {
  const waiting = [...wanted];
  const added = [];
  for (const one of found) {
    if (waiting[0] && isSame(one, waiting[0])) waiting.shift();
    else if (ADDED.has(one.program)) added.push(one.program);
    else reasons.push(`the wallet added a call of ${one.program}`);
  }
  if (waiting.length > 0) reasons.push("the wallet left an instruction out, or changed it");
  return added;
}

function isSame(a: DecodedInstruction, b: DecodedInstruction): boolean {
  return a.program === b.program && a.data === b.data && JSON.stringify(a.accounts) === JSON.stringify(b.accounts);
}

/** Puts the signature of another signer into a transaction. */
export function withSignature(returned: Returned, signer: string, signature: Uint8Array): Bytes {
  const place = returned.signers.indexOf(signer);
  if (place < 0) throw new Error(`${signer} does not sign this`);
  const wire = returned.wire.slice();
  wire.set(signature, 1 + place * SIGNATURE_SIZE);
  if (!sameBytes(wire.subarray(1 + returned.signers.length * SIGNATURE_SIZE), returned.message)) {
    throw new Error("the transaction is not written as it should be");
  }
  return wire;
}
