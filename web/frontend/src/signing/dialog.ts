// What is shown before a wallet is asked: read from the bytes that will be signed, beside what the site says.

import { button, make } from "../dom.ts";
import type { Plan, Rent } from "../protocol.ts";
import { type DecodedInstruction, type DecodedMessage, accountOf } from "./decode.ts";
import { NOBODY } from "./pdas.ts";
import { PROGRAM } from "./idl.ts";

const LAMPORTS_PER_SOL = 1_000_000_000;
const SECONDS_PER_BLOCK = 0.4;

/** A dialog that stays open until something is decided. */
export class SigningDialog {
  private readonly element = make("dialog", { class: "signing", "aria-labelledby": "signing-title" });
  private readonly body = make("div", { class: "signing-body" });
  private readonly state = make("p", { class: "signing-progress", role: "status", "aria-live": "polite" });
  private readonly clock = make("p", { class: "countdown" });
  private readonly buttons = make("div", { class: "signing-buttons" });
  private timer = 0;
  onClose: () => void = () => {};

  constructor(title: string) {
    this.element.append(make("h2", { id: "signing-title" }, title), this.body, this.clock, this.state, this.buttons);
    this.element.addEventListener("close", () => {
      window.clearInterval(this.timer);
      this.element.remove();
      this.onClose();
    });
    document.body.append(this.element);
    this.element.showModal();
  }

  show(...parts: Node[]): void {
    this.body.replaceChildren(...parts);
  }

  say(words: string): void {
    this.state.textContent = words;
  }

  get isOpen(): boolean {
    return this.element.open;
  }

  /** Offers buttons beside the one that closes. */
  offer(closing: string, ...more: HTMLButtonElement[]): void {
    this.buttons.replaceChildren(...more, button(closing, () => this.element.close()));
  }

  /** Counts down until the blockhash expires, then calls. */
  countDown(blocks: number, expired: () => void): void {
    window.clearInterval(this.timer);
    const end = Date.now() + blocks * SECONDS_PER_BLOCK * 1000;
    const tick = () => {
      const left = Math.max(0, Math.ceil((end - Date.now()) / 1000));
      this.clock.textContent = left > 0 ? `Can be sent for about ${left} s more.` : "Expired, nothing was charged.";
      if (left === 0) {
        window.clearInterval(this.timer);
        expired();
      }
    };
    this.timer = window.setInterval(tick, 1000);
    tick();
  }

  stopClock(): void {
    window.clearInterval(this.timer);
    this.clock.textContent = "";
  }
}

/** Why nothing can be signed. */
export function refusal(reasons: string[]): Node {
  return make(
    "div",
    { class: "refused", role: "alert" },
    make("p", {}, "Not signed: what your wallet would sign is not what you asked for."),
    make("ul", {}, ...reasons.map((one) => make("li", {}, one))),
  );
}

export function sentences(heading: string, lines: string[]): Node {
  return make("section", {}, make("h3", {}, heading), make("ul", {}, ...lines.map((one) => make("li", {}, one))));
}

/** The whole plan: what the bytes say, what it costs, what the site adds. */
export function planView(plan: Plan, message: DecodedMessage, wallet: string, fields: Record<string, string>): Node[] {
  const repo = fields["repo"];
  const names = new Map([
    [wallet, "your wallet"],
    [PROGRAM, "Flair"],
    [NOBODY, "nobody / the system program"],
  ]);
  return [
    make("h3", {}, "Read from the transaction"),
    facts([
      ["Program", `Flair, ${PROGRAM}`],
      ["Network", `${plan.chain}, genesis hash ${plan.genesis_hash}`],
      ["Your wallet", wallet],
      ...(repo ? ([["Repository", repo]] as [string, string][]) : []),
      ...message.instructions.flatMap((one) => moveOf(one, fields["commit"])),
    ]),
    ...message.instructions.map((one) => instructionView(one, names)),
    costView(plan.fee_lamports, plan.rent),
    sentences("The site says", [...plan.lines, plan.end_state]),
  ];
}

/** Old head and new head of what moves a branch. */
function moveOf(instruction: DecodedInstruction, commit: string | undefined): [string, string][] {
  const { expected_head: before, new_head: after } = instruction.args;
  if (before === undefined) return [];
  const empty = /^0+$/.test(before);
  const rows: [string, string][] = [["Head before", empty ? "none" : before]];
  if (after !== undefined) rows.push(["Head after", after]);
  // The candidate's address was derived from this commit before anything is shown.
  if (after === undefined && accountOf(instruction, "candidate")) rows.push(["Head after", commit ?? "unknown"]);
  return rows;
}

function instructionView(instruction: DecodedInstruction, names: Map<string, string>): Node {
  const accounts = instruction.accounts.map(([name, address]): [string, string] => {
    const known = address === null ? "left out" : names.get(address);
    return [name, known === undefined ? address! : address === null ? known : `${known} (${address})`];
  });
  const args = Object.entries(instruction.args).filter(([, value]) => !/^0{32,}$/.test(value));
  return make(
    "details",
    { class: "instruction" },
    make("summary", {}, `${instruction.does} (${instruction.name}: ${accounts.length} accounts, ${args.length} arguments)`),
    facts(args),
    facts(accounts),
  );
}

function facts(rows: [string, string][]): Node {
  return make("dl", { class: "facts" }, ...rows.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
}

function costView(fee: number, rent: Rent[]): Node {
  const total = rent.reduce((sum, one) => sum + one.lamports, fee);
  const back = rent.reduce((sum, one) => sum + (one.back ? one.lamports : 0), 0);
  const rows: [string, string][] = [
    ["Fee", sol(fee)],
    ...rent.map((one): [string, string] => {
      const fate = one.back ? `paid back ${one.back}` : "not paid back: the account stays";
      const name = one.account === "deposit" ? "Deposit" : `Rent of ${one.account}`;
      return [name, `${sol(one.lamports)}, ${fate}`];
    }),
    ["Together", `${sol(total)}, of which ${sol(back)} is paid back`],
  ];
  return make("section", {}, make("h3", {}, "What it costs"), facts(rows));
}

export function sol(lamports: number): string {
  return `${(lamports / LAMPORTS_PER_SOL).toFixed(9).replace(/0+$/, "").replace(/\.$/, "")} SOL`;
}
