import { describe, expect, test } from "bun:test";
import type { Receipt } from "../../lib/store/store.ts";
import { openCat } from "../support/cat.ts";
import { createRandom } from "../support/random.ts";

const PEER_HASHES = `
hash                                                                    timestamp
84c11c5f8ad1d6ad02a0c2b86dbca2c2eb77dca2b8f3cdb1dcbf6d0d9ad3687f  1795329806.5789
000000000000000000000000000000000000000000000000000000000000000a  1795329800.1000
`.trim();

function receipt(hash: string, receivedAtSeconds: number, ip = "127.0.0.1"): Receipt {
  return { hash, receivedAtSeconds, ip, payload: `page ${hash}` };
}

function messages(ip: string, count: number): Receipt[] {
  return Array.from({ length: count }, () => receipt("a".repeat(64), 1, ip));
}

/** The contract's rule, written a second time and for this one table. */
function renderAsPeer(rows: readonly Receipt[]): string {
  const header = `${"hash".padEnd(64)}  ${"timestamp".padStart(15)}`;
  return [header, ...rows.map((row) => `${row.hash}  ${row.receivedAtSeconds.toFixed(4)}`)].join("\n");
}

describe("a plain GET keeps the older implementations' bytes", () => {
  test("/_cat/hashes of an empty store is its header, all left", async () => {
    await using cat = await openCat();
    expect(await cat.text("/_cat/hashes")).toBe("hash    timestamp");
  });

  test("/_cat/clients of an empty store is its header, all left", async () => {
    await using cat = await openCat();
    expect(await cat.text("/_cat/clients")).toBe("client    count");
  });

  test("/_cat/hashes of two rows is the recorded sample", async () => {
    const receipts = [
      receipt("000000000000000000000000000000000000000000000000000000000000000a", 1795329800.1),
      receipt("84c11c5f8ad1d6ad02a0c2b86dbca2c2eb77dca2b8f3cdb1dcbf6d0d9ad3687f", 1795329806.5789),
    ];
    await using cat = await openCat({ receipts });
    expect(await cat.text("/_cat/hashes")).toBe(PEER_HASHES);
  });

  test("/_cat/hashes of one row", async () => {
    await using cat = await openCat({ receipts: [receipt("b".repeat(64), 1795329806.57891)] });
    expect(await cat.text("/_cat/hashes")).toBe(
      `hash${" ".repeat(68)}timestamp\n${"b".repeat(64)}  1795329806.5789`,
    );
  });

  test("/_cat/clients of IPv4 clients is the recorded sample", async () => {
    const receipts = [...messages("127.0.0.1", 8), ...messages("10.20.30.40", 123_456)];
    await using cat = await openCat({ receipts });
    expect(await cat.text("/_cat/clients")).toBe(
      "client         count\n127.0.0.1          8\n10.20.30.40   123456",
    );
  });

  test("/_cat/clients of one short IPv6 client is the recorded sample", async () => {
    await using cat = await openCat({ receipts: messages("::1", 8) });
    expect(await cat.text("/_cat/clients")).toBe("client      count\n::1             8");
  });

  test("/_cat/clients shows long IPv6 addresses whole", async () => {
    const ip = "2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff";
    await using cat = await openCat({ receipts: [...messages("10.0.0.1", 1), ...messages(ip, 2)] });
    expect(await cat.text("/_cat/clients")).toBe(
      `${"client".padEnd(38)}    count\n${"10.0.0.1".padEnd(38)}        1\n${ip}        2`,
    );
  });

  test("/_cat/clients lists every client", async () => {
    const ips = Array.from({ length: 250 }, (_, index) => `10.0.0.${index}`);
    await using cat = await openCat({ receipts: ips.map((ip) => receipt("a".repeat(64), 1, ip)) });
    expect((await cat.text("/_cat/clients")).split("\n").slice(1)).toEqual(
      ips.map((ip) => `${ip.padEnd(10)}        1`),
    );
  });

  test("/_cat/hashes lists the last 100 of more, equal times in descending order of the hash", async () => {
    const random = createRandom(100);
    // Few times, so that most rows share theirs with others.
    const receipts = Array.from({ length: 350 }, (_, index) =>
      receipt(Bun.SHA256.hash(`${index}`, "hex"), 1795329800 + Math.floor(random() * 20) / 8),
    );
    const newestFirst = receipts.toSorted(
      (a, b) => b.receivedAtSeconds - a.receivedAtSeconds || (a.hash < b.hash ? 1 : -1),
    );
    await using cat = await openCat({ receipts });
    expect(await cat.text("/_cat/hashes")).toBe(renderAsPeer(newestFirst.slice(0, 100)));
  });

  test("/_cat begins with the older implementations' lines", async () => {
    await using cat = await openCat();
    expect(await cat.text("/_cat")).toBe(
      [
        "=^.^=",
        "/_cat/hashes",
        "/_cat/hashes/{hash}",
        "/_cat/clients",
        "/_cat/blocks",
        "/_cat/count",
        "/_cat/health",
        "/_cat/servers",
      ].join("\n"),
    );
  });

  test("/ leads to /_cat", async () => {
    await using cat = await openCat();
    const { status, headers } = await cat.get("/");
    expect({ status, location: headers.get("location") }).toEqual({ status: 302, location: "_cat" });
  });
});
