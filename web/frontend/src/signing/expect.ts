// What each action may ask a wallet to sign, worked out from what the user saw and typed, and from nothing else. A table:
// which instructions, and which of their accounts and arguments follow from which field of the form.

import type { Known } from "./check.ts";
import { type DecodedInstruction, type DecodedMessage, accountOf } from "./decode.ts";
import { sha256, toHex } from "./bytes.ts";
import * as pdas from "./pdas.ts";

/** The places that the fields of a form name. */
interface Places {
  known: Known;
  fields: Record<string, string>;
  repo: string;
  branch: string | null;
  round: string | null;
}

type Wanted = Record<string, string | null | undefined>;

interface Expectation {
  /** Names of the instructions, in order, as a regular expression over `a,b,c`. */
  instructions: RegExp;
  /** Of the instruction that matters: its name, and what its accounts and arguments must be. */
  main: string;
  accounts?: (places: Places) => Promise<Wanted> | Wanted;
  args?: (places: Places) => Promise<Wanted> | Wanted;
  /** Times that must lie between now and so many seconds from now. */
  times?: (places: Places) => Record<string, number>;
}

const SLACK_S = 600;
export const DAY_S = 86400;
const ZERO_DIGEST = "00".repeat(32);
const SCOPES: Record<string, number> = { contribute: 1, merge: 2, attest: 4, administer: 8 };
const REASONS: Record<string, number> = {
  malformed: 1, signature: 2, missing: 3, base: 4, shape: 5, range: 6, norm: 7, privacy: 8, outlier: 9, score: 10, copy: 11,
  other: 255,
};

const scope = (text: string | undefined) => String((text ?? "").split(/[ ,]+/).reduce((sum, one) => sum | (SCOPES[one] ?? 0), 0));
const vote = (name: string): Expectation => ({
  instructions: new RegExp(`^${name}$`),
  main: name,
  accounts: async ({ round, fields }) => ({ round, candidate: await pdas.findCandidate(round!, fields["commit"]!) }),
});
const round = (name: string): Expectation => ({
  instructions: new RegExp(`^${name}$`),
  main: name,
  accounts: ({ round }) => ({ round }),
});

/** By action. */
export const EXPECTATIONS: Readonly<Record<string, Expectation>> = {
  repo_create: {
    instructions: /^repo_create$/,
    main: "repo_create",
    accounts: ({ known }) => ({ creator: known.wallet }),
    args: ({ fields }) => ({ name: fields["name"], points_per_merge: fields["points_per_merge"] }),
  },
  policy_create: {
    instructions: /^policy_create$/,
    main: "policy_create",
    args: ({ fields }) => policyArgs(fields),
  },
  branch_create: {
    instructions: /^branch_create$/,
    main: "branch_create",
    accounts: async ({ repo, fields }) => ({
      branch: await pdas.findBranch(repo, fields["name"]!),
      policy: await pdas.findPolicy(repo, BigInt(fields["policy"]!)),
    }),
    args: ({ fields }) => ({
      name: fields["name"],
      policy_index: fields["policy"],
      protected: fields["protected"] === "yes" ? "1" : "0",
      first_round: fields["first_round"],
    }),
  },
  invite_create: {
    instructions: /^invite_create$/,
    main: "invite_create",
    accounts: async ({ repo, branch, fields }) => ({ branch, invite: await pdas.findInvite(repo, fields["key"]!) }),
    args: ({ fields }) => ({ key: fields["key"], scope: scope(fields["scope"]), uses: fields["uses"] }),
    times: ({ fields }) => ({ expires_at: Number(fields["days"]) * DAY_S }),
  },
  invite_redeem: {
    instructions: /^invite_redeem$/,
    main: "invite_redeem",
    accounts: async ({ known, repo, fields }) => ({
      grantee: known.wallet,
      invite_key: fields["key"],
      invite: await pdas.findInvite(repo, fields["key"]!),
    }),
  },
  join_request: {
    instructions: /^join_request$/,
    main: "join_request",
    accounts: async ({ known, repo, branch }) => ({
      applicant: known.wallet,
      branch,
      request: await pdas.findRequest(repo, known.wallet),
    }),
    args: async ({ fields }) => ({
      scope: scope(fields["scope"]),
      note_digest: fields["note"] ? toHex(await sha256(new TextEncoder().encode(fields["note"]))) : ZERO_DIGEST,
    }),
  },
  role_grant: {
    // A request to join that is answered by it is closed with it.
    instructions: /^role_grant(,join_close)?$/,
    main: "role_grant",
    accounts: async ({ repo, branch, fields }) => ({
      branch,
      new_role: await pdas.findRole(repo, branch, fields["grantee"]!),
    }),
    args: ({ fields }) => ({
      grantee: fields["grantee"],
      scope: scope(fields["scope"]),
      ...(fields["days"] ? {} : { expires_at: "0" }),
    }),
    times: ({ fields }) => (fields["days"] ? { expires_at: Number(fields["days"]) * DAY_S } : {}),
  },
  role_revoke: {
    instructions: /^role_revoke$/,
    main: "role_revoke",
    accounts: async ({ repo, branch, fields }) => ({ old_role: await pdas.findRole(repo, branch, fields["grantee"]!) }),
  },
  authority_offer: {
    instructions: /^authority_offer$/,
    main: "authority_offer",
    args: ({ fields }) => ({ new_authority: fields["wallet"] || pdas.NOBODY }),
  },
  authority_accept: {
    instructions: /^authority_accept$/,
    main: "authority_accept",
    accounts: ({ known }) => ({ new_authority: known.wallet }),
  },
  approve: vote("merge_approve"),
  attest: vote("merge_attest"),
  update_reject: {
    instructions: /^update_reject$/,
    main: "update_reject",
    accounts: async ({ round, fields }) => ({ round, update: await pdas.findUpdate(round!, fields["contributor"]!) }),
    args: ({ fields }) => ({ reason: String(REASONS[fields["reason"]!]) }),
  },
  round_open: round("round_open"),
  round_close: round("round_close"),
  round_abort: round("round_abort"),
  round_finalize: {
    instructions: /^(merge_accumulate,)*merge_finalize$|^merge_accumulate$/,
    main: "merge_finalize",
    accounts: async ({ round, fields }) => ({ round, candidate: await pdas.findCandidate(round!, fields["commit"]!) }),
  },
  update_withdraw: {
    instructions: /^update_withdraw$/,
    main: "update_withdraw",
    accounts: async ({ known, round }) => ({ round, update: await pdas.findUpdate(round!, known.wallet) }),
  },
  update_settle: {
    instructions: /^update_(settle|expire)$/,
    main: "update_settle|update_expire",
    accounts: async ({ round, fields }) => ({ round, update: await pdas.findUpdate(round!, fields["contributor"]!) }),
  },
  revert: {
    instructions: /^branch_advance$/,
    main: "branch_advance",
    args: ({ known, fields }) => ({ kind: "2", expected_head: fields["head"], new_head: known.commit }),
  },
  push: {
    instructions: /^((round_open,)?update_push|branch_advance|branch_merge)$/,
    main: "update_push|branch_advance|branch_merge",
    // A move of the head by `branch_advance` is that to a snapshot.
    args: ({ fields }) => ({ commit_id: fields["commit"], new_head: fields["commit"], kind: "1" }),
  },
};

/** Gives the reasons why a message is not what the user asked for. */
export async function expectations(message: DecodedMessage, known: Known): Promise<string[]> {
  const wanted = EXPECTATIONS[known.request.action];
  if (wanted === undefined) return [`this page knows no action ${known.request.action}`];
  const names = message.instructions.map((one) => one.name ?? one.program).join(",");
  if (!wanted.instructions.test(names)) return [`${known.request.action} does not ask for ${names}`];
  const places = await placesOf(known);
  const reasons = message.instructions.flatMap((one) => wrongPlace(one, places));
  const main = message.instructions.find((one) => wanted.main.split("|").includes(one.name ?? ""));
  if (main === undefined) return reasons;
  const accounts = (await wanted.accounts?.(places)) ?? {};
  for (const [name, address] of Object.entries(accounts)) {
    const found = accountOf(main, name);
    if (found !== undefined && found !== address) reasons.push(`${main.name}: ${name} is not what you chose`);
  }
  for (const [name, value] of Object.entries((await wanted.args?.(places)) ?? {})) {
    const found = main.args[name];
    if (found !== undefined && found !== value) reasons.push(`${main.name}: ${name} is ${found}, you chose ${value ?? "nothing"}`);
  }
  return [...reasons, ...wrongTimes(main, wanted.times?.(places) ?? {}, known.now)];
}

/** Times that follow from a number of days in the form. */
function wrongTimes(main: DecodedInstruction, lasting: Record<string, number>, now: number): string[] {
  return Object.entries(lasting)
    .filter(([name, seconds]) => Math.abs(Number(main.args[name]) - (now + seconds)) > SLACK_S)
    .map(([name]) => `${main.name}: ${name} is another time than you chose`);
}

async function placesOf(known: Known): Promise<Places> {
  const fields = known.request.fields;
  const [creator, name] = (fields["repo"] ?? "").split("/");
  const repo = creator && name ? await pdas.findRepo(creator, name) : await pdas.findRepo(known.wallet, fields["name"] ?? "");
  const branch = fields["branch"] ? await pdas.findBranch(repo, fields["branch"]) : null;
  const round = branch && fields["round"] ? await pdas.findRound(branch, BigInt(fields["round"])) : null;
  return { known, fields, repo, branch, round };
}

/** Every instruction acts in the repository and on the branch that the page showed. */
function wrongPlace(instruction: DecodedInstruction, places: Places): string[] {
  const reasons = [];
  if (accountOf(instruction, "repo") !== places.repo) reasons.push(`${instruction.name}: another repository`);
  const branch = accountOf(instruction, "branch");
  if (places.branch !== null && branch !== undefined && branch !== places.branch) {
    reasons.push(`${instruction.name}: another branch`);
  }
  return reasons;
}

/** Fields of the form that are arguments by the same name; the others have their own words. */
function policyArgs(fields: Record<string, string>): Wanted {
  const same = ["bits", "scale_exp", "weight_cap", "min_updates", "max_updates", "n_params", "norm_bound_sq", "round_length_s",
    "merge_grace_s", "challenge_s", "deposit_lamports", "approvals_needed", "attestations_needed"];
  const args: Wanted = Object.fromEntries(same.filter((name) => fields[name]).map((name) => [name, fields[name]]));
  if (fields["contribute"]) args["contribute"] = fields["contribute"] === "open" ? "0" : "1";
  args["reveal_after_close"] = fields["reveal_after_close"] === "yes" ? "1" : "0";
  return args;
}
