// What the page refuses: each lie that a site could tell about a message, and each that a message could tell.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import type { Plan } from "../src/protocol.ts";
import { fromHex, sha256, toBase64, toHex } from "../src/signing/bytes.ts";
import { CborInvalid, decodeCbor } from "../src/signing/cbor.ts";
import { type Known, checkPlan, differences } from "../src/signing/check.ts";
import { decodeMessage } from "../src/signing/decode.ts";
import { EXPECTATIONS } from "../src/signing/expect.ts";
import { checkReturned, withoutSignatures } from "../src/signing/returned.ts";

const vectors = JSON.parse(readFileSync("../../tests/vectors/signing.json", "utf8"));
const offer = vectors.messages.find((one: { name: string }) => one.name === "authority_offer");
const raw = fromHex(offer.message);
const instruction = { name: offer.name, accounts: offer.accounts, args: offer.args };

function plan(changes: Partial<Plan> = {}): Plan {
  return {
    plan: "p", wallet: vectors.wallet, chain: "solana:localnet", genesis_hash: vectors.blockhash, title: "", lines: [],
    end_state: "", instructions: [instruction], message: toBase64(raw), blocks_left: 150, fee_lamports: 5000, rent: [],
    commit_block: null, ...changes,
  };
}

function known(changes: Partial<Known> = {}): Known {
  const fields = { repo: `${vectors.wallet}/heart`, wallet: offer.args.new_authority };
  return { wallet: vectors.wallet, request: { action: "authority_offer", fields }, others: [], commit: null, now: 0, ...changes };
}

const reasonsOf = async (changed: Partial<Plan>, knows: Partial<Known> = {}) =>
  (await checkPlan(plan(changed), known(knows))).reasons.join("; ");

test("the sample's repository is another one than the user saw, and that alone is said", async () => {
  assert.equal(await reasonsOf({}), "authority_offer: another repository");
});

test("each lie of the site is a reason", async () => {
  const account = offer.accounts.map(([name, address]: [string, string]) => [name, name === "repo" ? vectors.wallet : address]);
  const lies: [Partial<Plan>, RegExp][] = [
    [{ instructions: [] }, /has 1 instructions, the site says 0/],
    [{ instructions: [{ ...instruction, name: "repo_set_sponsor" }] }, /calls authority_offer/],
    [{ instructions: [{ ...instruction, accounts: account }] }, /the account repo is/],
    [{ instructions: [{ ...instruction, args: { new_authority: vectors.wallet } }] }, /new_authority is/],
    [{ instructions: [{ ...instruction, args: { ...offer.args, more: "1" } }] }, /more is undefined/],
    [{ chain: "solana:mainnet" }, /the network is solana:localnet/],
    [{ genesis_hash: "5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d" }, /the network is solana:mainnet/],
    [{ fee_lamports: 4999 }, /the fee is more/],
    [{ wallet: vectors.blockhash }, /was made for/],
  ];
  for (const [lie, words] of lies) assert.match(await reasonsOf(lie), words);
});

test("what the user did not ask for is a reason", async () => {
  const fields = { repo: `${vectors.wallet}/heart`, wallet: vectors.wallet };
  assert.match(await reasonsOf({}, { request: { action: "authority_offer", fields } }), /you chose/);
  assert.match(await reasonsOf({}, { request: { action: "round_open", fields } }), /does not ask for authority_offer/);
  assert.match(await reasonsOf({}, { request: { action: "nothing", fields } }), /knows no action/);
  assert.match(await reasonsOf({}, { wallet: vectors.blockhash }), /would pay/);
});

test("every action that the site has is in the table", () => {
  assert.equal(Object.keys(EXPECTATIONS).length, 21);
});

test("an instruction of another program is a difference", () => {
  const found = decodeMessage(raw).instructions;
  assert.deepEqual(differences([instruction], found), []);
  assert.match(differences([instruction], [{ ...found[0]!, program: vectors.wallet }]).join(), /calls the program/);
});

/** The sample's message with keys that this test can sign for. */
async function signedBy(change: (message: Uint8Array) => Uint8Array = (one) => one) {
  const pair = (await crypto.subtle.generateKey("Ed25519", true, ["sign", "verify"])) as CryptoKeyPair;
  const key = new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey));
  const asked = raw.slice();
  asked.set(key, 4);
  const message = change(asked);
  const wire = withoutSignatures(message);
  const signature = new Uint8Array(await crypto.subtle.sign("Ed25519", pair.privateKey, message as Uint8Array<ArrayBuffer>));
  wire.set(signature, 1);
  const wallet = decodeMessage(asked).payer;
  return { asked, wire, wallet };
}

/** Puts a call of a program without accounts behind the others. */
function withCall(program: number[]): (message: Uint8Array) => Uint8Array {
  return (message) => {
    const count = message[3]!;
    const end = 4 + 32 * count;
    const header = [message[0]!, message[1]!, message[2]! + 1, count + 1];
    const keys = [...message.subarray(4, end), ...program];
    const rest = [...message.subarray(end, end + 32), message[end + 32]! + 1, ...message.subarray(end + 33)];
    return Uint8Array.from([...header, ...keys, ...rest, count, 0, 1, 2]);
  };
}

test("a transaction that comes back as it was asked for is taken", async () => {
  const { asked, wire, wallet } = await signedBy();
  assert.deepEqual((await checkReturned(wire, asked, wallet)).reasons, []);
});

test("a fee that the wallet added is taken and named", async () => {
  const budget = "0306466fe5211732ffecadba72c39be7bc8ce5bbc5f7126b2c439b3a40000000";
  const { asked, wire, wallet } = await signedBy(withCall([...fromHex(budget)]));
  const found = await checkReturned(wire, asked, wallet);
  assert.deepEqual(found.reasons, []);
  assert.deepEqual(found.added, ["ComputeBudget111111111111111111111111111111"]);
});

test("any other call that the wallet added is refused", async () => {
  const { asked, wire, wallet } = await signedBy(withCall(new Array(32).fill(77)));
  assert.match((await checkReturned(wire, asked, wallet)).reasons.join(), /the wallet added a call/);
});

test("an instruction that the wallet changed, and a wrong signature, are refused", async () => {
  const changed = await signedBy((message) => {
    const copy = message.slice();
    copy[copy.length - 1]! ^= 1;
    return copy;
  });
  assert.match((await checkReturned(changed.wire, changed.asked, changed.wallet)).reasons.join(), /left an instruction out/);
  const { asked, wire, wallet } = await signedBy();
  wire[5]! ^= 1;
  assert.match((await checkReturned(wire, asked, wallet)).reasons.join(), /did not sign/);
});

test("DAG-CBOR is read strictly", async () => {
  assert.deepEqual(decodeCbor(fromHex("a26161016162f6")), { a: 1, b: null });
  assert.equal(toHex(await sha256(new Uint8Array())).slice(0, 8), "e3b0c442");
  for (const bad of ["a161610100", "a2616101616102", "61", "c101", "f7", "9f", "ff", "a10101", ""]) {
    assert.throws(() => decodeCbor(fromHex(bad)), CborInvalid, bad);
  }
  assert.throws(() => decodeCbor(fromHex(`${"81".repeat(40)}00`)), /nested/);
});
