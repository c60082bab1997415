// On every page: the wallet's bar, and the forms of actions. What reads and checks transactions is loaded by those who sign.

import type { Wallet } from "@wallet-standard/base";
import { countDown } from "./countdown.ts";
import { button, make, short } from "./dom.ts";
import type { Session } from "./protocol.ts";
import { get, post, session } from "./session.ts";
import { signIn, signOut } from "./signin.ts";
import { connect, disconnect, features, inUse, lastUsed, onAccount, onWallets, solanaWallets, unusable, wasUsed } from "./wallets.ts";

const bar = document.getElementById("wallet");
/** What the other bundle borrows: there is one session, and one wallet in use. */
const tools = { session, post, get, inUse, connect, lastUsed, features };
let said = "";
let unwatch = () => {};

/** Draws the bar anew: who is signed in, or how to. */
async function draw(): Promise<void> {
  if (!bar) return;
  const now = await who();
  const parts: Node[] = now.wallet === null ? [menu(now)] : signedIn(now);
  const status = make("p", { role: "status", class: "wallet-state" }, said);
  bar.replaceChildren(...parts, status);
  document.dispatchEvent(new CustomEvent("flair:session", { detail: now.wallet }));
}

/** Who is signed in. The site is asked only where somebody was: readers get no cookie, and pages made for all. */
async function who(): Promise<Pick<Session, "wallet" | "chain">> {
  return wasUsed() ? session() : { wallet: null, chain: bar?.dataset["chain"] as Session["chain"] };
}

function signedIn(now: Pick<Session, "wallet">): Node[] {
  const used = inUse();
  const parts: Node[] = [short(now.wallet!)];
  if (used && used.account.address !== now.wallet) {
    said = "Your wallet shows another account now: sign in with it, or switch back.";
    parts.push(button("Sign in again", () => void enter(used.wallet)));
  }
  parts.push(button("Sign out", () => void leave()));
  return parts;
}

/** The wallets of this browser; those that cannot be used here say why. */
function menu(now: Pick<Session, "chain">): Node {
  const wallets = solanaWallets();
  const items = wallets.map((one) => {
    const why = unusable(one, now.chain);
    const words = why === null ? one.name : `${one.name}: ${why}`;
    return make("li", {}, button(words, () => void enter(one), why === null ? {} : { disabled: "" }));
  });
  const none = make("li", {}, "No Solana wallet is in this browser. Everything can be read without one.");
  return make("details", { class: "wallet-menu" }, make("summary", {}, "Sign in"), make("ul", {}, ...(items.length ? items : [none])));
}

async function enter(wallet: Wallet): Promise<void> {
  try {
    const { wallet: address } = await signIn(wallet, (await session()).chain);
    said = `Signed in as ${address}.`;
    watch(wallet);
  } catch (error) {
    said = `Not signed in: ${error instanceof Error ? error.message : String(error)}`;
  }
  await draw();
  focusBar();
}

async function leave(): Promise<void> {
  unwatch();
  await disconnect();
  await signOut();
  said = "Signed out.";
  await draw();
  focusBar();
}

/** What was pressed is gone: a keyboard goes on from what took its place. */
function focusBar(): void {
  bar?.querySelector<HTMLElement>("button, summary")?.focus();
}

function watch(wallet: Wallet): void {
  unwatch();
  unwatch = onAccount(wallet, () => {
    said = "";
    void draw();
  });
}

/** After a page was loaded the wallet that was used before is there again, without a question. */
async function resume(): Promise<void> {
  const now = await who();
  const wallet = now.wallet === null ? null : lastUsed(now.chain);
  if (wallet === null || inUse() !== null) return;
  await connect(wallet, now.chain, { silent: true }).catch(() => null);
  watch(wallet);
  await draw();
}

function prepareForms(): void {
  const forms = document.querySelectorAll<HTMLFormElement>("form[data-action]");
  for (const form of forms) {
    form.querySelector<HTMLButtonElement>("button[type=submit]")!.disabled = false;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      // By its own address: the bundle is another file, beside this one.
      void import("./signing.js").then((signing) => signing.sign(form, tools));
    });
  }
  if (document.querySelector("[data-invite]")) void import("./signing.js").then((signing) => signing.readInvites());
}

onWallets(() => void draw().then(resume));
prepareForms();
countDown();
void draw().then(resume);
