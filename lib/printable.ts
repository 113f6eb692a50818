// C0, DEL and C1: what can drive a terminal or forge a line of a log.
// oxlint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;
const DELETE = 0x7f;
/** First byte of U+0080 to U+00BF in UTF-8; up to U+009F they are controls. */
const C1_LEAD = 0xc2;
const BACKSLASH = 0x5c;
const LETTER_X = 0x78;
const HEX = Buffer.from("0123456789abcdef");

/**
 * Shows a text on one line: a newline as `\n`, every other control character as `\xNN`, so that no sender can
 * drive the terminal of whoever reads it.
 *
 * It works on bytes, as a message of nothing but control characters would otherwise hold up all others.
 *
 * @example printable("a\nb\x1b[2J") // "a\\nb\\x1b[2J"
 */
export function printable(text: string): string {
  const line = text.replaceAll("\n", "\\n");
  if (!CONTROL.test(line)) return line;
  const bytes = Buffer.from(line);
  const shown = Buffer.allocUnsafe(4 * bytes.length);
  let length = 0;
  for (let at = 0; at < bytes.length; at++) {
    let byte = bytes[at] ?? 0;
    const next = bytes[at + 1] ?? 0;
    if (byte === C1_LEAD && next < 0xa0) {
      byte = next;
      at++;
    } else if (byte >= 0x20 && byte !== DELETE) {
      shown[length++] = byte;
      continue;
    }
    shown[length++] = BACKSLASH;
    shown[length++] = LETTER_X;
    shown[length++] = HEX[byte >> 4] ?? 0;
    shown[length++] = HEX[byte & 0xf] ?? 0;
  }
  return shown.toString("utf8", 0, length);
}

/** Formats an IP address and a port; IPv6 addresses stand in brackets. */
export function formatAddress({ ip, port }: { ip: string; port: number }): string {
  return ip.includes(":") ? `[${ip}]:${port}` : `${ip}:${port}`;
}
