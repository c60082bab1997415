// The commit of a revert: read as the client wrote it, and refused where it is not what was clicked.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import type { CommitToSign, Request } from "../src/protocol.ts";
import { fromHex, toBase64 } from "../src/signing/bytes.ts";
import { checkCommit, signedId } from "../src/signing/commit.ts";
import { keyOf, linkOf, readLink } from "../src/signing/invite.ts";

const { revert, wallet } = JSON.parse(readFileSync("../../tests/vectors/signing.json", "utf8"));
const base64 = (hex: string) => toBase64(fromHex(hex));
const offered: CommitToSign = { plan: "p", block: base64(revert.unsigned), text: revert.text, lines: [] };

function request(changes: Record<string, string> = {}): Request {
  const fields = { repo: `${revert.author}/heart`, branch: "main", head: revert.head, commit: revert.merge, contributor: "" };
  return { action: "revert", fields: { ...fields, ...changes } };
}

const reasons = async (changes: Record<string, string>, offer = offered, author = revert.author) =>
  (await checkCommit(offer, request(changes), author)).reasons.join("; ");

test("a commit that is what was clicked is taken, with its words", async () => {
  const read = await checkCommit(offered, request(), revert.author);
  assert.deepEqual(read.reasons, []);
  assert.equal(read.fields["message"], "take it back");
});

test("each difference is a reason", async () => {
  const other = "ab".repeat(32);
  assert.match(await reasons({ repo: `${revert.author}/lungs` }), /another repository/);
  assert.match(await reasons({ branch: "ward" }), /another branch/);
  assert.match(await reasons({ head: other }), /another head/);
  assert.match(await reasons({ commit: other }), /takes another one back/);
  assert.match(await reasons({ contributor: wallet }), /you chose contributor/);
  assert.match(await reasons({}, offered, wallet), /another author/);
  assert.match(await reasons({}, { ...offered, text: offered.text.replace(/.$/, "x") }), /the text to be signed/);
});

test("the signed commit is the same with that very signature, or none", async () => {
  const signature = fromHex(revert.signature);
  const signed = base64(revert.signed);
  assert.equal(await signedId(offered.block, signed, signature), revert.id);
  const wrong = signature.slice();
  wrong[0]! ^= 1;
  assert.equal(await signedId(offered.block, signed, wrong), null);
  // One byte of the weights' digest, which no field of the form names.
  const place = revert.signed.indexOf("73".repeat(32));
  const other = base64(revert.signed.slice(0, place) + "99" + revert.signed.slice(place + 2));
  assert.equal(await signedId(offered.block, other, signature), null);
  assert.equal(await signedId(offered.block, offered.block, signature), null);
});

test("a link goes into a key and back; what is none is told from it", async () => {
  const key = await keyOf(new Uint8Array(32).fill(7));
  const link = linkOf("localnet", `${wallet}/heart`, key);
  const found = await readLink(` ${link}\n`);
  assert.equal(found!.key.address, key.address);
  assert.deepEqual([found!.repo, found!.network], [`${wallet}/heart`, "localnet"]);
  for (const bad of ["", wallet, link.slice(0, -9), link.replace("flair", "https"), `${link}#x`, link.replace("#invite", "?invite")]) {
    assert.equal(await readLink(bad), null, bad);
  }
});
