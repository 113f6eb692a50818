// C0, DEL and C1: what can drive a terminal or forge a line of a log.
// oxlint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/g;

/**
 * Shows a text on one line: a newline as `\n`, every other control character as `\xNN`, so that no sender can
 * drive the terminal of whoever reads it.
 *
 * @example printable("a\nb\x1b[2J") // "a\\nb\\x1b[2J"
 */
export function printable(text: string): string {
  return text.replace(CONTROL, (character) =>
    character === "\n" ? "\\n" : `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
}

/** Formats an IP address and a port; IPv6 addresses stand in brackets. */
export function formatAddress({ ip, port }: { ip: string; port: number }): string {
  return ip.includes(":") ? `[${ip}]:${port}` : `${ip}:${port}`;
}
