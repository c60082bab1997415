// From a form to a finalised transaction: planned by the site, read and compared here, signed by the wallet.

import { button, make } from "../dom.ts";
import type { CommitToSign, Plan, Progress, Refreshed, Request, Session } from "../protocol.ts";
import type { Connected } from "../wallets.ts";
import { fromBase64, toBase64 } from "./bytes.ts";
import { type Checked, type Known, checkPlan } from "./check.ts";
import { checkCommit, signedId } from "./commit.ts";
import { SigningDialog, planView, refusal, sentences } from "./dialog.ts";
import { type InviteKey, linkOf, newKey, readLink } from "./invite.ts";
import { checkReturned, withSignature, withoutSignatures } from "./returned.ts";
import { type Tools, wordsFor } from "./tools.ts";

const POLL_MS = 700;
/** The site's answer to what was signed too late. */
const EXPIRED = 410;
const LEVELS: Record<Progress["state"], string> = {
  unknown: "Sent. Waiting for the network.",
  processed: "Taken into a block.",
  confirmed: "Confirmed.",
  finalized: "Final: it cannot be undone.",
  failed: "Failed.",
};

/** One signing, from the form on. */
interface Work {
  form: HTMLFormElement;
  tools: Tools;
  session: Session;
  connected: Connected;
  request: Request;
  invite: InviteKey | null;
  dialog: SigningDialog;
}

/** Asks the site for a plan and leads the user through it. */
export async function sign(form: HTMLFormElement, tools: Tools): Promise<void> {
  const say = (words: string) => {
    form.querySelector(".signing-state")!.textContent = words;
  };
  say("");
  const pressed = form.querySelector<HTMLButtonElement>("button[type=submit]")!;
  // A second press while the site plans would show a second dialog.
  pressed.disabled = true;
  let work: Work | null = null;
  try {
    const session = await tools.session();
    const connected = await walletFor(session, tools);
    const { request, invite } = await requestOf(form);
    say("Asking the site what is to be signed.");
    const answer = await tools.post<Plan | CommitToSign>(`/actions/${request.action}/plan`, { fields: request.fields });
    say("");
    const dialog = new SigningDialog(form.querySelector("h2")!.textContent ?? request.action);
    work = { form, tools, session, connected, request, invite, dialog };
    if ("block" in answer) await signCommit(work, answer);
    else await offerPlan(work, answer, null);
  } catch (error) {
    if (work) work.dialog.say(wordsFor(error));
    else say(wordsFor(error));
  } finally {
    pressed.disabled = false;
  }
}

/** The wallet that is signed in; throws where it is not there, or shows another account. */
async function walletFor(session: Session, tools: Tools): Promise<Connected> {
  if (session.wallet === null) throw new Error("Sign in with your wallet first.");
  let connected = tools.inUse();
  const last = connected ? null : tools.lastUsed(session.chain);
  if (last) connected = await tools.connect(last, session.chain);
  if (connected === null) throw new Error("Your wallet is not connected: sign in again.");
  if (connected.account.address !== session.wallet) {
    throw new Error("Your wallet shows another account than you signed in with: sign in again.");
  }
  return connected;
}

async function requestOf(form: HTMLFormElement): Promise<{ request: Request; invite: InviteKey | null }> {
  const action = form.dataset["action"]!;
  let invite: InviteKey | null = null;
  const fields: Record<string, string> = {};
  for (const [name, value] of new FormData(form)) if (typeof value === "string") fields[name] = value.trim();
  if (action === "invite_create") invite = await newKey();
  if (action === "invite_redeem") {
    const link = await readLink(form.querySelector<HTMLInputElement>("[data-invite=link]")!.value);
    if (link === null) throw new Error("Paste the whole link that you were sent.");
    invite = link.key;
    fields["repo"] = link.repo;
  }
  if (invite) fields["key"] = invite.address;
  return { request: { action, fields }, invite };
}

function known(work: Work, commit: string | null): Known {
  return {
    wallet: work.connected.account.address,
    request: work.request,
    // The key of an invite that is taken signs as well; one that is made does not.
    others: work.invite && work.request.action === "invite_redeem" ? [work.invite.address] : [],
    commit,
    now: Math.floor(Date.now() / 1000),
  };
}

/** First of two: the text of the commit. */
async function signCommit(work: Work, offered: CommitToSign): Promise<void> {
  const { dialog, connected, tools } = work;
  const read = await checkCommit(offered, work.request, connected.account.address);
  const feature = tools.features(connected.wallet)["solana:signMessage"];
  if (!feature) read.reasons.push(`${connected.wallet.name} signs no texts, which a commit needs`);
  if (read.reasons.length > 0) {
    dialog.show(refusal(read.reasons));
    dialog.offer("Close");
    return;
  }
  const before = work.request.fields["head"]!;
  dialog.show(
    make("p", {}, "First of two signatures: the commit. Your wallet shows this text:"),
    make("p", {}, make("code", {}, offered.text)),
    sentences("Read in the commit", [
      `Repository ${work.request.fields["repo"]}, branch ${String(read.fields["branch"])}`,
      `Made on the head ${before}`,
      `Takes back ${work.request.fields["commit"]}`,
      `Message: ${String(read.fields["message"])}`,
    ]),
    sentences("The site says", offered.lines),
  );
  const signing = button("Sign the commit", () => {
    signing.disabled = true;
    void signText(work, offered).catch((error) => {
      signing.disabled = false;
      dialog.say(wordsFor(error));
    });
  }, { class: "main" });
  dialog.offer("Cancel", signing);
}

async function signText(work: Work, offered: CommitToSign): Promise<void> {
  const { connected, tools, dialog } = work;
  const message = new TextEncoder().encode(offered.text);
  dialog.say("Your wallet asks you.");
  const feature = tools.features(connected.wallet)["solana:signMessage"]!;
  const [output] = await feature.signMessage({ account: connected.account, message });
  if (output === undefined) throw new Error("The wallet gave no answer.");
  if (!dialog.isOpen) return;
  dialog.say("");
  const plan = await tools.post<Plan>(`/actions/plans/${offered.plan}/commit`, { signature: toBase64(output.signature) });
  const commit = await signedId(offered.block, plan.commit_block ?? "", output.signature);
  if (commit === null) {
    dialog.show(refusal(["the site's commit is another one than you signed"]));
    dialog.offer("Close");
    return;
  }
  await offerPlan(work, plan, commit);
}

/** Shows a plan whose message was read, or why it is refused. */
async function offerPlan(work: Work, plan: Plan, commit: string | null): Promise<void> {
  const { dialog } = work;
  const checked = await checkPlan(plan, known(work, commit));
  if (checked.reasons.length > 0) return refuse(work, checked.reasons);
  dialog.show(...planView(plan, checked.message, work.connected.account.address, work.request.fields));
  const signing = button("Sign", () => {
    signing.disabled = true;
    void signAndSend(work, plan, commit).catch((error) => {
      signing.disabled = false;
      dialog.say(wordsFor(error));
    });
  }, { class: "main" });
  dialog.offer("Cancel", signing);
  count(work, plan, commit);
}

function refuse(work: Work, reasons: string[]): void {
  work.dialog.stopClock();
  work.dialog.show(refusal(reasons));
  work.dialog.offer("Close");
}

/** Counts down; a blockhash that expired is replaced without a question, since nothing else changes. */
function count(work: Work, plan: Plan, commit: string | null): void {
  work.dialog.countDown(plan.blocks_left, () => {
    if (!work.dialog.isOpen) return;
    renew(work, plan, commit)
      .then((fresh) => fresh && count(work, fresh, commit))
      .catch((error) => work.dialog.say(wordsFor(error)));
  });
}

/** Gives the plan with a new blockhash, checked again; null where it is refused. */
async function renew(work: Work, plan: Plan, commit: string | null): Promise<Plan | null> {
  const fresh = { ...plan, ...(await work.tools.post<Refreshed>(`/actions/plans/${plan.plan}/refresh`, {})) };
  const checked: Checked = await checkPlan(fresh, known(work, commit));
  if (checked.reasons.length === 0) return fresh;
  refuse(work, checked.reasons);
  return null;
}

async function signAndSend(work: Work, plan: Plan, commit: string | null): Promise<void> {
  const { dialog, connected, tools } = work;
  // The blockhash is of the moment of the click.
  const fresh = await renew(work, plan, commit);
  if (fresh === null) return;
  const message = fromBase64(fresh.message);
  dialog.stopClock();
  dialog.say("Your wallet asks you.");
  const feature = tools.features(connected.wallet)["solana:signTransaction"]!;
  const [output] = await feature.signTransaction({
    account: connected.account,
    chain: plan.chain,
    transaction: withoutSignatures(message),
  });
  if (output === undefined) throw new Error("The wallet gave no answer.");
  // Who closed the dialog meanwhile has changed their mind.
  if (!dialog.isOpen) return;
  const returned = await checkReturned(output.signedTransaction, message, connected.account.address);
  if (returned.reasons.length > 0) return refuse(work, returned.reasons);
  let wire = returned.wire;
  if (work.invite && returned.signers.includes(work.invite.address)) {
    wire = withSignature(returned, work.invite.address, await work.invite.sign(returned.message));
  }
  dialog.say("Sending.");
  try {
    await tools.post(`/actions/plans/${plan.plan}/send`, { transaction: toBase64(wire) });
  } catch (error) {
    if ((error as { status?: number }).status !== EXPIRED) throw error;
    return again(work, plan, commit);
  }
  dialog.offer("Close");
  await follow(work, plan, commit);
}

/** Shows how far the transaction is, until it is final. */
async function follow(work: Work, plan: Plan, commit: string | null): Promise<void> {
  const { dialog, tools } = work;
  let isShown = false;
  for (;;) {
    const progress = await tools.get<Progress>(`/actions/plans/${plan.plan}/progress`);
    dialog.say(progress.error ?? LEVELS[progress.state]);
    const isDone = progress.state === "confirmed" || progress.state === "finalized";
    if (isDone && !isShown) finish(work, plan);
    isShown ||= isDone;
    if (progress.state === "failed" || progress.state === "finalized") return;
    if (progress.expired) {
      return again(work, plan, commit);
    }
    await new Promise((wake) => setTimeout(wake, POLL_MS));
  }
}

/** What expired is offered once more, with a new blockhash and otherwise the same. */
async function again(work: Work, plan: Plan, commit: string | null): Promise<void> {
  const fresh = await renew(work, plan, commit);
  if (fresh === null) return;
  await offerPlan(work, fresh, commit);
  work.dialog.say("Expired, nothing was charged. Sign it again, or cancel.");
}

function finish(work: Work, plan: Plan): void {
  const { dialog, request, invite } = work;
  const parts: Node[] = [make("p", { class: "done" }, plan.end_state)];
  if (invite && request.action === "invite_create") {
    const network = document.getElementById("wallet")?.dataset["network"] ?? "";
    const link = make("input", { readonly: "", id: "invite-link", value: linkOf(network, request.fields["repo"]!, invite) });
    parts.push(
      make("label", { for: "invite-link" }, "The link, shown this once: copy it now."),
      link,
    );
  }
  dialog.show(...parts);
  document.dispatchEvent(new CustomEvent("flair:signed", { detail: request }));
}

/** Fills the fields of a form from a pasted link, as it is pasted. */
export function readInvites(): void {
  const input = document.querySelector<HTMLInputElement>("[data-invite=link]")!;
  const fill = async () => {
    const link = await readLink(input.value);
    const form = input.form!;
    form.querySelector<HTMLInputElement>("[name=repo]")!.value = link?.repo ?? "";
    form.querySelector<HTMLInputElement>("[name=key]")!.value = link?.key.address ?? "";
  };
  input.addEventListener("input", () => void fill());
  void fill();
}
