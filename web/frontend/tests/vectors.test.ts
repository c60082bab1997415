// The page's decoder against messages that the client wrote, one for every instruction of the program.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { fromHex } from "../src/signing/bytes.ts";
import { MessageInvalid, decodeMessage } from "../src/signing/decode.ts";
import { INSTRUCTIONS } from "../src/signing/idl.ts";
import * as pdas from "../src/signing/pdas.ts";

interface Vectors {
  wallet: string;
  blockhash: string;
  addresses: Record<string, string>;
  messages: { message: string; name: string; accounts: [string, string | null][]; args: Record<string, string> }[];
}
const vectors: Vectors = JSON.parse(readFileSync("../../tests/vectors/signing.json", "utf8"));

test("every instruction is read as the client wrote it", () => {
  for (const { message, name, accounts, args } of vectors.messages) {
    const found = decodeMessage(fromHex(message));
    assert.equal(found.payer, vectors.wallet);
    assert.equal(found.blockhash, vectors.blockhash);
    assert.deepEqual([found.instructions[0]!.name, found.instructions[0]!.accounts], [name, accounts]);
    assert.deepEqual(found.instructions[0]!.args, args, name);
  }
  assert.equal(new Set(vectors.messages.map((one) => one.name)).size, Object.keys(INSTRUCTIONS).length);
});

test("accounts are derived as the client derives them", async () => {
  const { wallet, addresses } = vectors;
  const repo = await pdas.findRepo(wallet, "heart");
  const branch = await pdas.findBranch(repo, "main");
  const round = await pdas.findRound(branch, 300n);
  assert.deepEqual(
    {
      repo,
      branch,
      policy: await pdas.findPolicy(repo, 3n),
      role: await pdas.findRole(repo, null, wallet),
      branch_role: await pdas.findRole(repo, branch, wallet),
      invite: await pdas.findInvite(repo, wallet),
      request: await pdas.findRequest(repo, wallet),
      round,
      update: await pdas.findUpdate(round, wallet),
      candidate: await pdas.findCandidate(round, "05".repeat(32)),
    },
    addresses,
  );
});

test("a message with bytes behind it, cut off, or of version 0 is refused", () => {
  const raw = fromHex(vectors.messages[0]!.message);
  const longer = Uint8Array.from([...raw, 0]);
  const version0 = Uint8Array.from([0x80, ...raw, 0]);
  for (const bad of [longer, raw.subarray(0, -1), version0, new Uint8Array()]) {
    assert.throws(() => decodeMessage(bad), MessageInvalid);
  }
});

test("arguments with bytes behind them, and reserved bytes that are not zero, are refused", () => {
  const policy = vectors.messages.find((one) => one.name === "policy_create")!;
  const raw = fromHex(policy.message);
  raw[raw.length - 1] = 1;
  assert.throws(() => decodeMessage(raw), /reserved/);
  const settle = fromHex(vectors.messages.find((one) => one.name === "update_settle")!.message);
  const at = settle.length - 9;
  const longer = Uint8Array.from([...settle.subarray(0, at), 9, ...settle.subarray(at + 1), 0]);
  assert.throws(() => decodeMessage(longer), /behind/);
});

test("an instruction that the program does not have is refused", () => {
  const raw = fromHex(vectors.messages.find((one) => one.name === "round_close")!.message);
  raw[raw.length - 1]! ^= 1;
  assert.throws(() => decodeMessage(raw), MessageInvalid);
});
