// The other bundle, as the page's script sees it.
export { readInvites, sign } from "./signing/main.ts";
