// A Wallet Standard wallet for Solana that a test drives. See README.md; no part of any page.
"use strict";

(() => {
  const ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
  // What stands before the seed of an Ed25519 key in PKCS #8.
  const PKCS8 = "302e020100300506032b657004220420";
  const SIGNATURE_SIZE = 64;
  const COMPUTE_BUDGET = "ComputeBudget111111111111111111111111111111";
  const SYSTEM = "11111111111111111111111111111111";
  const ALLOWED = "flair-test-wallet-allowed";
  const ICON = "data:image/svg+xml;base64,PHN2ZyB4bWxucz0iaHR0cDovL3d3dy53My5vcmcvMjAwMC9zdmciLz4=";

  const fromHex = (text) => Uint8Array.from(text.match(/../g), (pair) => parseInt(pair, 16));

  function toBase58(bytes) {
    let value = bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
    let text = "";
    for (; value > 0n; value /= 58n) text = ALPHABET[Number(value % 58n)] + text;
    const zeros = bytes.findIndex((byte) => byte !== 0);
    return "1".repeat(zeros < 0 ? bytes.length : zeros) + text;
  }

  function fromBase58(text) {
    let value = [...text].reduce((sum, char) => sum * 58n + BigInt(ALPHABET.indexOf(char)), 0n);
    const bytes = new Uint8Array(32);
    for (let place = 31; place >= 0; place--, value >>= 8n) bytes[place] = Number(value & 255n);
    return bytes;
  }

  async function keyFrom(seed) {
    const key = await crypto.subtle.importKey("pkcs8", fromHex(PKCS8 + seed), "Ed25519", true, ["sign"]);
    const { x } = await crypto.subtle.exportKey("jwk", key);
    const raw = atob(x.replaceAll("-", "+").replaceAll("_", "/"));
    const publicKey = Uint8Array.from(raw, (char) => char.charCodeAt(0));
    return { key, publicKey, address: toBase58(publicKey) };
  }

  async function signWith(pair, message) {
    return new Uint8Array(await crypto.subtle.sign("Ed25519", pair.key, message));
  }

  /** A legacy message in parts; counts below 128 take one byte. */
  function parse(message) {
    const count = message[3];
    const keys = Array.from({ length: count }, (_, place) => message.slice(4 + 32 * place, 36 + 32 * place));
    const at = 4 + 32 * count + 32;
    return { header: message.slice(0, 3), keys, blockhash: message.slice(at - 32, at), n: message[at], rest: message.slice(at + 1) };
  }

  /** Puts an instruction in front: the way wallets set fees, and what they must not do. */
  function withInstruction(message, kind) {
    const parts = parse(message);
    const isFee = kind === "fee";
    const program = fromBase58(isFee ? COMPUTE_BUDGET : SYSTEM);
    let place = parts.keys.findIndex((one) => one.every((byte, index) => byte === program[index]));
    if (place < 0) {
      place = parts.keys.push(program) - 1;
      parts.header[2] += 1;
    }
    const accounts = isFee ? [] : [0, 1];
    const data = isFee ? [2, 0x40, 0x0d, 3, 0] : [2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0];
    const added = [place, accounts.length, ...accounts, data.length, ...data];
    const flat = parts.keys.flatMap((one) => [...one]);
    return Uint8Array.from([...parts.header, parts.keys.length, ...flat, ...parts.blockhash, parts.n + 1, ...added, ...parts.rest]);
  }

  function signInText(input, address) {
    const lines = [`${input.domain} wants you to sign in with your Solana account:`, address];
    if (input.statement) lines.push("", input.statement);
    const fields = [
      ["URI", input.uri],
      ["Version", input.version],
      ["Chain ID", input.chainId],
      ["Nonce", input.nonce],
      ["Issued At", input.issuedAt],
      ["Expiration Time", input.expirationTime],
    ].filter(([, value]) => value !== undefined);
    if (fields.length) lines.push("");
    for (const [name, value] of fields) lines.push(`${name}: ${value}`);
    return lines.join("\n");
  }

  const knobs = { refuse: false, late: false, add: null, domain: null };
  const asked = {};
  const texts = [];
  const listeners = new Set();
  let waiting = [];
  let pairs = [];
  let active = 0;
  let options = {};
  let shown = [];

  const api = {
    knobs,
    asked,
    texts,
    signed: 0,
    install,
    connected: () => shown.length > 0,
    release() {
      knobs.late = false;
      waiting.splice(0).forEach((wake) => wake());
    },
    switchTo(index) {
      active = index;
      shown = [accountOf(pairs[active])];
      listeners.forEach((listener) => listener({ accounts: shown }));
    },
  };
  globalThis.flairTestWallet = api;

  async function answer(feature) {
    asked[feature] = (asked[feature] ?? 0) + 1;
    if (knobs.late) await new Promise((wake) => waiting.push(wake));
    if (knobs.refuse) throw new Error("User rejected the request.");
  }

  async function ready() {
    if (pairs.length === 0) pairs = await Promise.all(options.seeds.map(keyFrom));
    return pairs;
  }

  function accountOf(pair) {
    return { address: pair.address, publicKey: pair.publicKey, chains: options.chains, features: Object.keys(wallet.features) };
  }

  async function pairFor(account) {
    return (await ready()).find((one) => one.address === account.address) ?? pairs[active];
  }

  const all = {
    "standard:connect": {
      version: "1.0.0",
      async connect(input) {
        await ready();
        if (input?.silent) {
          if (localStorage.getItem(ALLOWED) === null) return { accounts: [] };
        } else await answer("standard:connect");
        localStorage.setItem(ALLOWED, "yes");
        shown = [accountOf(pairs[active])];
        return { accounts: shown };
      },
    },
    "standard:disconnect": {
      version: "1.0.0",
      async disconnect() {
        localStorage.removeItem(ALLOWED);
        shown = [];
      },
    },
    "standard:events": {
      version: "1.0.0",
      on(_event, listener) {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    },
    "solana:signIn": {
      version: "1.0.0",
      async signIn(input) {
        await answer("solana:signIn");
        await ready();
        localStorage.setItem(ALLOWED, "yes");
        const pair = pairs[active];
        shown = [accountOf(pair)];
        const text = signInText({ ...input, domain: knobs.domain ?? input.domain }, pair.address);
        texts.push(text);
        const signedMessage = new TextEncoder().encode(text);
        return [{ account: shown[0], signedMessage, signature: await signWith(pair, signedMessage) }];
      },
    },
    "solana:signMessage": {
      version: "1.0.0",
      async signMessage({ account, message }) {
        await answer("solana:signMessage");
        texts.push(new TextDecoder().decode(message));
        return [{ signedMessage: message, signature: await signWith(await pairFor(account), message) }];
      },
    },
    "solana:signTransaction": {
      version: "1.0.0",
      get supportedTransactionVersions() {
        return options.versions;
      },
      async signTransaction({ account, transaction }) {
        await answer("solana:signTransaction");
        const pair = await pairFor(account);
        const count = transaction[0];
        let message = transaction.slice(1 + count * SIGNATURE_SIZE);
        if (knobs.add) message = withInstruction(message, knobs.add);
        const { keys } = parse(message);
        const signed = new Uint8Array(1 + count * SIGNATURE_SIZE + message.length);
        signed.set(transaction.slice(0, 1 + count * SIGNATURE_SIZE));
        signed.set(message, 1 + count * SIGNATURE_SIZE);
        const place = keys.findIndex((one) => toBase58(one) === pair.address);
        signed.set(await signWith(pair, message), 1 + Math.max(0, place) * SIGNATURE_SIZE);
        api.signed += 1;
        return [{ signedTransaction: signed }];
      },
    },
  };

  const wallet = {
    version: "1.0.0",
    icon: ICON,
    get name() {
      return options.name;
    },
    get chains() {
      return options.chains;
    },
    get features() {
      return Object.fromEntries(Object.entries(all).filter(([name]) => !options.missing.includes(name)));
    },
    get accounts() {
      return shown;
    },
  };

  function install(given) {
    options = { name: "Test wallet", chains: ["solana:localnet"], versions: ["legacy", 0], missing: [], ...given };
    const register = ({ register: add }) => add(wallet);
    window.addEventListener("wallet-standard:app-ready", ({ detail }) => register(detail));
    window.dispatchEvent(new CustomEvent("wallet-standard:register-wallet", { detail: register }));
  }
})();
