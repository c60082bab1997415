// What the page and the site say to each other, as JSON.

/** What the user asked for: an action, and the fields of its form as they were shown. */
export interface Request {
  action: string;
  fields: Record<string, string>;
}

/** An instruction as the site says that it is. */
export interface IntendedInstruction {
  name: string;
  accounts: [name: string, address: string | null][];
  args: Record<string, string>;
}

/** Rent that an account takes; `back` says when it is paid back, and is empty where it never is. */
export interface Rent {
  account: string;
  address: string;
  lamports: number;
  back: string;
}

/** A commit that the site made and the wallet is to sign first. */
export interface CommitToSign {
  plan: string;
  /** Without its signature, in base64. */
  block: string;
  text: string;
  lines: string[];
}

/** A transaction to be signed, and what the site says that it does. */
export interface Plan {
  plan: string;
  wallet: string;
  chain: `${string}:${string}`;
  genesis_hash: string;
  title: string;
  lines: string[];
  end_state: string;
  instructions: IntendedInstruction[];
  /** Unsigned, in base64. */
  message: string;
  /** Until the blockhash expires. */
  blocks_left: number;
  fee_lamports: number;
  rent: Rent[];
  /** The signed commit, in base64, where one was made. */
  commit_block: string | null;
}

export interface Refreshed {
  message: string;
  blocks_left: number;
}

export interface Progress {
  state: "unknown" | "processed" | "confirmed" | "finalized" | "failed";
  error: string | null;
  /** Whether the transaction can no longer be taken. */
  expired: boolean;
}

/** Who is signed in; null where nobody is. */
export interface Session {
  wallet: string | null;
  csrf: string;
  chain: `${string}:${string}`;
}

/** What a sign-in has to say, field by field, as `solana:signIn` takes it, and as one text. */
export interface Challenge {
  domain: string;
  statement: string;
  uri: string;
  version: string;
  chainId: string;
  nonce: string;
  issuedAt: string;
  expirationTime: string;
  text: string | null;
}
