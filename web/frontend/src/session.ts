// The session with the site: who is signed in, and requests that carry its token.

import type { Session } from "./protocol.ts";

/** What the site refused, and what it advises. */
export class Refusal extends Error {
  readonly advice: string;
  readonly status: number;
  constructor(words: string, advice: string, status: number) {
    super(words);
    this.advice = advice;
    this.status = status;
  }
}

let current: Session | null = null;

/** Gives the session; asks the site once. */
export async function session(): Promise<Session> {
  return (current ??= await answer<Session>(await fetch("/session", { credentials: "same-origin" })));
}

/** Takes over what signing in or out answered. */
export function take(changed: Session): Session {
  return (current = changed);
}

/** Sends JSON with the session's token; throws Refusal where the site says no. */
export async function post<T>(path: string, body: object): Promise<T> {
  const { csrf } = await session();
  const headers = { "Content-Type": "application/json", "X-Flair-Token": csrf };
  return answer<T>(await fetch(path, { method: "POST", credentials: "same-origin", headers, body: JSON.stringify(body) }));
}

export async function get<T>(path: string): Promise<T> {
  return answer<T>(await fetch(path, { credentials: "same-origin" }));
}

async function answer<T>(response: Response): Promise<T> {
  const told = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refusal(told.error ?? `the site answers ${response.status}`, told.help ?? "", response.status);
  return told as T;
}
