import type { Receipt } from "../../lib/store/store.ts";

/** Makes the receipt of a payload. */
export function receiptOf(payload: string, { ip = "127.0.0.1", at = 1_700_000_000 } = {}): Receipt {
  const hash = new Bun.CryptoHasher("sha256").update(payload).digest("hex");
  return { hash, payload, ip, receivedAtSeconds: at };
}
