// The same words as the site's own: a page must not change its wording after a second.

import assert from "node:assert/strict";
import test from "node:test";
import { leftText, spanText } from "../src/countdown.ts";

test("a span has its two largest units", () => {
  const found = [0, 1, 59, 60, 61, 3600, 7500, 90061, 86400 * 1234].map(spanText);
  assert.deepEqual(found, ["0 s", "1 s", "59 s", "1 min", "1 min 1 s", "1 h", "2 h 5 min", "1 d 1 h", "1,234 d"]);
});

test("what is over says since when", () => {
  assert.deepEqual([1, 0, -3660].map(leftText), ["1 s left", "over for 0 s", "over for 1 h 1 min"]);
});
