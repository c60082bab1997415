// Counts down to the deadlines on a page. From the site's clock on, which the page brought along: the reader's may be wrong.

const UNITS: readonly (readonly [number, string])[] = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];

/** A span in its two largest units, as the site writes it: `2 h 5 min`. */
export function spanText(seconds: number): string {
  const parts: string[] = [];
  let left = Math.abs(seconds);
  for (const [size, name] of UNITS) {
    const count = Math.floor(left / size);
    left -= count * size;
    if (count > 0) parts.push(`${count.toLocaleString("en-US")} ${name}`);
  }
  return parts.slice(0, 2).join(" ") || "0 s";
}

/** What stands beside a deadline that is so many seconds away. */
export function leftText(seconds: number): string {
  return seconds > 0 ? `${spanText(seconds)} left` : `over for ${spanText(seconds)}`;
}

/** Keeps every element with `data-deadline` and `data-now` up to date, as long as the page is open. */
export function countDown(): void {
  const shown = document.querySelectorAll<HTMLElement>("[data-deadline]");
  if (shown.length === 0) return;
  setInterval(() => {
    const passed = Math.floor(performance.now() / 1000);
    for (const one of shown) one.textContent = leftText(Number(one.dataset["deadline"]) - Number(one.dataset["now"]) - passed);
  }, 1000);
}
