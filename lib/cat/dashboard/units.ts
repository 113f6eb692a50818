import { html, type Html } from "./html.ts";

const SHOWN_HASH_CHARACTERS = 8;

// The page's script turns times into ages, local times and uptimes.

/** Shows how long ago a time was. */
export function age(seconds: number): Html {
  return html`<time data-as="age" datetime="${iso(seconds)}" title="${iso(seconds)}">${utc(seconds)}</time>`;
}

/** Shows a time of the day. */
export function clock(seconds: number): Html {
  return html`<time data-as="clock" datetime="${iso(seconds)}" title="${iso(seconds)}"
    >${utc(seconds)}</time
  >`;
}

/** Shows how long something has lasted. */
export function uptime(seconds: number): Html {
  return html`<time data-as="span" datetime="${iso(seconds)}" title="since ${iso(seconds)}"
    >since ${utc(seconds)}</time
  >`;
}

/** Writes a time as ISO 8601 does. Times that no date can hold come from a clock, or a sender, that is out of its mind. */
export function iso(seconds: number): string {
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime()) ? "unknown" : date.toISOString();
}

function utc(seconds: number): string {
  return `${iso(seconds).slice(0, 19).replace("T", " ")} UTC`;
}

/** Shows seconds. */
export function duration(seconds: number): string {
  return seconds < 100 ? `${seconds.toFixed(seconds < 10 ? 2 : 1)} s` : `${Math.round(seconds)} s`;
}

/** Shows a number of things. */
export function count(number: number): string {
  return number.toLocaleString("en");
}

/** Shows a share of a whole. */
export function percent(part: number, whole: number): string {
  return `${Math.round((100 * part) / Math.max(1, whole))} %`;
}

/** Shows the beginning of a hash. */
export function shorten(hash: string): string {
  return `${hash.slice(0, SHOWN_HASH_CHARACTERS)}…`;
}

/** Sets digits apart in threes by their look alone, so that a number is read and copied as one. */
export function groupDigits(digits: string): Html {
  const groups = digits.match(/\d{1,3}(?=(?:\d{3})*$)/g) ?? [digits];
  return html`${groups.map((group) => html`<span class="group">${group}</span>`)}`;
}
