// The commit that is signed before its transaction: read, compared with what the user saw, and named.

import { getAddressDecoder } from "@solana/kit";
import { Link, type Value, decodeCbor } from "./cbor.ts";
import { fromBase64, sameBytes, sha256, toHex } from "./bytes.ts";
import type { CommitToSign, Request } from "../protocol.ts";
import { findRepo } from "./pdas.ts";

type Fields = Record<string, Value>;

/** What the page read in a commit. */
export interface ReadCommit {
  fields: Fields;
  reasons: string[];
}

/** Reads the commit that is to be signed, and says why it is not the one that was asked for. */
export async function checkCommit(offered: CommitToSign, request: Request, wallet: string): Promise<ReadCommit> {
  const block = fromBase64(offered.block);
  const fields = decodeCbor(block) as Fields;
  const reasons = [];
  if (offered.text !== `flair commit v1 ${toHex(await sha256(block))}`) {
    reasons.push("the text to be signed is not of the commit that is shown");
  }
  const [creator, name] = request.fields["repo"]!.split("/");
  if (addressFrom(fields["repo"]) !== (await findRepo(creator!, name!))) reasons.push("the commit is of another repository");
  if (fields["branch"] !== request.fields["branch"]) reasons.push("the commit is of another branch");
  if (addressFrom(fields["author"]) !== wallet) reasons.push("the commit has another author than your wallet");
  if (fields["kind"] !== "revert") reasons.push(`the commit is a ${String(fields["kind"])}`);
  const parents = Array.isArray(fields["parents"]) ? fields["parents"].map(digestOf) : [];
  if (parents.join() !== request.fields["head"]) reasons.push("the commit is made on another head");
  const reverts = fields["reverts"] as Fields | undefined;
  if (digestOf(reverts?.["commit"]) !== request.fields["commit"]) reasons.push("the commit takes another one back");
  const wanted = request.fields["contributor"] ? "contributor" : "merge";
  if (reverts?.["kind"] !== wanted) reasons.push(`the commit takes back a ${String(reverts?.["kind"])}, you chose ${wanted}`);
  return { fields, reasons };
}

/** Gives the id of a signed commit, if it is the one that was signed, with this very signature. */
export async function signedId(unsigned: string, signed: string, signature: Uint8Array): Promise<string | null> {
  const before = decodeCbor(fromBase64(unsigned)) as Fields;
  const block = fromBase64(signed);
  const { signature: found, ...rest } = decodeCbor(block) as Fields;
  const isSame = found instanceof Uint8Array && sameBytes(found, signature) && canonical(rest) === canonical(before);
  return isSame ? toHex(await sha256(block)) : null;
}

function canonical(value: Value): string {
  if (value instanceof Link) return `link:${toHex(value.cid)}`;
  if (value instanceof Uint8Array) return `bytes:${toHex(value)}`;
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  if (value !== null && typeof value === "object") {
    const names = Object.keys(value).sort();
    return `{${names.map((name) => `${JSON.stringify(name)}:${canonical(value[name]!)}`).join()}}`;
  }
  return typeof value === "string" ? JSON.stringify(value) : `${typeof value}:${String(value)}`;
}

function addressFrom(value: Value | undefined): string | null {
  return value instanceof Uint8Array && value.length === 32 ? getAddressDecoder().decode(value) : null;
}

/** The digest that a link names, in hex. */
export function digestOf(value: Value | undefined): string {
  return value instanceof Link ? toHex(value.cid.subarray(-32)) : "";
}
