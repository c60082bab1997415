// Reads DAG-CBOR as Flair writes its commits; strict, small, and only as much as commits need.

export type Value = null | boolean | number | bigint | string | Uint8Array | Link | Value[] | { [name: string]: Value };

/** A link to a block, as the bytes of its CID. */
export class Link {
  readonly cid: Uint8Array;
  constructor(cid: Uint8Array) {
    this.cid = cid;
  }
}

export class CborInvalid extends Error {}

const DEPTH_LIMIT = 32;
const LINK_TAG = 42n;

/** Gives the one value that the bytes are; throws CborInvalid for anything else. */
export function decodeCbor(bytes: Uint8Array): Value {
  const reader = new Reader(bytes);
  const value = reader.value(0);
  if (reader.at !== bytes.length) throw new CborInvalid("bytes behind the value");
  return value;
}

class Reader {
  at = 0;
  private readonly bytes: Uint8Array;
  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  private take(size: number): Uint8Array {
    if (this.at + size > this.bytes.length) throw new CborInvalid("cut off");
    this.at += size;
    return this.bytes.subarray(this.at - size, this.at);
  }

  private count(short: number): bigint {
    if (short < 24) return BigInt(short);
    if (short > 27) throw new CborInvalid("a length that DAG-CBOR does not have");
    return this.take(1 << (short - 24)).reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
  }

  private size(short: number): number {
    const size = Number(this.count(short));
    if (size > this.bytes.length) throw new CborInvalid("longer than the block");
    return size;
  }

  value(depth: number): Value {
    if (depth > DEPTH_LIMIT) throw new CborInvalid("nested too deep");
    const first = this.take(1)[0]!;
    const short = first & 31;
    switch (first >> 5) {
      case 0:
        return plain(this.count(short));
      case 1:
        return plain(-1n - this.count(short));
      case 2:
        return this.take(this.size(short)).slice();
      case 3:
        return new TextDecoder("utf-8", { fatal: true }).decode(this.take(this.size(short)));
      case 4:
        return Array.from({ length: this.size(short) }, () => this.value(depth + 1));
      case 5:
        return this.map(this.size(short), depth);
      case 6:
        return this.link(this.count(short), depth);
      default:
        return this.simple(short);
    }
  }

  private map(size: number, depth: number): Value {
    const entries: [string, Value][] = [];
    for (let place = 0; place < size; place++) {
      const name = this.value(depth + 1);
      if (typeof name !== "string") throw new CborInvalid("a name that is no text");
      if (entries.some(([one]) => one === name)) throw new CborInvalid(`${name} is there twice`);
      entries.push([name, this.value(depth + 1)]);
    }
    return Object.fromEntries(entries);
  }

  private link(tag: bigint, depth: number): Link {
    const inner = this.value(depth + 1);
    if (tag !== LINK_TAG || !(inner instanceof Uint8Array) || inner[0] !== 0) throw new CborInvalid("a tag that is no link");
    return new Link(inner.slice(1));
  }

  private simple(short: number): Value {
    if (short === 20) return false;
    if (short === 21) return true;
    if (short === 22) return null;
    if (short !== 27) throw new CborInvalid("a value that DAG-CBOR does not have");
    const raw = this.take(8);
    return new DataView(raw.buffer, raw.byteOffset, 8).getFloat64(0);
  }
}

function plain(value: bigint): number | bigint {
  return value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
}
