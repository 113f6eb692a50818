import { describe, expect, test } from "bun:test";
import { renderBlockPage } from "../../lib/block_page.ts";
import type { ServerRow } from "../../lib/store/store.ts";
import { openCat, receiptOf, type OpenCat } from "../support/cat.ts";

const BIG = 2n ** 60n;
const [EIGHTEEN, NINETEEN, LAST, OTHER] = [
  receiptOf(renderBlockPage(18n), { ip: "10.0.0.2", receivedAtSeconds: 1795329800.5 }),
  receiptOf(renderBlockPage(19n), { ip: "::1", receivedAtSeconds: 1795329812.75 }),
  receiptOf(renderBlockPage(BIG), { ip: "10.0.0.2", receivedAtSeconds: 1795329830 }),
  receiptOf("<script>é</script>", { ip: "10.0.0.10", receivedAtSeconds: 1795329806.5789 }),
] as const;
const RECEIPTS = [EIGHTEEN, NINETEEN, OTHER, LAST];

const FAR_FUTURE_SECONDS = 1e11; // so that a server's uptime is 0 at any time
const SERVERS: readonly ServerRow[] = [
  {
    host: "beta",
    port: 9999,
    pid: 7,
    version: "1.2.3",
    startedAtSeconds: FAR_FUTURE_SECONDS,
    connections: 3,
    received: 1000,
    stored: 600,
    spooled: 2,
  },
  {
    host: "alpha",
    port: 10000,
    pid: 12,
    version: "1.2.3",
    startedAtSeconds: FAR_FUTURE_SECONDS,
    connections: 0,
    received: 20,
    stored: 4,
    spooled: 40,
  },
];

function openFilled(): Promise<OpenCat> {
  return openCat({ receipts: RECEIPTS, servers: SERVERS });
}

const hashes = (...receipts: { readonly hash: string }[]) => receipts.map(({ hash }) => hash).join("\n");
const H = "hash".padEnd(64);

/** Path, text. */
const TEXT: readonly (readonly [string, string])[] = [
  // v
  ["/_cat/hashes?v&size=1", `${H}        timestamp\n${LAST.hash}  1795329830.0000`],
  ["/_cat/hashes?v=true&size=1", `${H}        timestamp\n${LAST.hash}  1795329830.0000`],
  ["/_cat/hashes?v=false&size=1", `${LAST.hash}  1795329830.0000`],
  ["/_cat/clients?v=false", "10.0.0.2   2\n::1        1\n10.0.0.10  1"],
  [
    "/_cat/blocks?v=false&h=block,bytes",
    `${BIG}  465\n${"19".padStart(19)}  448\n${"-".padStart(19)}   19\n${"18".padStart(19)}  448`,
  ],
  ["/_cat/count?v=false", "4  4  3"],
  ["/_cat/health?v=false&h=store,state,spooled", "SQLite  up  42"],
  [
    "/_cat/servers?v=false",
    "alpha  10000  12  1.2.3  0  0    20    4  40\nbeta    9999   7  1.2.3  0  3  1000  600   2",
  ],
  // h
  ["/_cat/hashes?h=hash&v=false", hashes(LAST, NINETEEN, OTHER, EIGHTEEN)],
  ["/_cat/hashes?h=t,id&size=1", `              t  id\n1795329830.0000  ${LAST.hash}`],
  ["/_cat/hashes?h=*&size=1", `${H}        timestamp\n${LAST.hash}  1795329830.0000`],
  ["/_cat/hashes?h=time*,hash,hash&size=1", `      timestamp  hash\n1795329830.0000  ${LAST.hash}`],
  ["/_cat/clients?h=n", "  n\n  2\n  1\n  1"],
  [
    "/_cat/clients?h=*t,c",
    "client       count  c\n10.0.0.2         2  10.0.0.2\n::1              1  ::1\n10.0.0.10        1  10.0.0.10",
  ],
  [
    "/_cat/blocks?h=b,interval,bytes",
    "                  b    interval    bytes\n1152921504606846976      17.250      465\n                 19      12.250      448\n                  -           -       19\n                 18           -      448",
  ],
  ["/_cat/blocks?h=b*&size=1", "              block    bytes\n1152921504606846976      465"],
  ["/_cat/count?h=messages,c", "  messages    c\n         4    3"],
  ["/_cat/health?h=st*", "store    state\nSQLite   up"],
  ["/_cat/servers?h=host,*o*t,p*", "host      port    pid\nalpha    10000     12\nbeta      9999      7"],
  // s
  ["/_cat/hashes?h=hash&v=false&s=timestamp", hashes(EIGHTEEN, OTHER, NINETEEN, LAST)],
  ["/_cat/hashes?h=hash&v=false&s=t:desc", hashes(LAST, NINETEEN, OTHER, EIGHTEEN)],
  ["/_cat/hashes?h=hash&v=false&s=hash", hashes(...RECEIPTS.toSorted((a, b) => (a.hash < b.hash ? -1 : 1)))],
  ["/_cat/clients?h=client&v=false&s=count:desc,client", "10.0.0.2\n10.0.0.10\n::1"],
  ["/_cat/clients?h=client&v=false&s=n:asc,ip:desc", "::1\n10.0.0.10\n10.0.0.2"],
  [
    "/_cat/blocks?h=block&v=false&s=block",
    `${"18".padStart(19)}\n${"19".padStart(19)}\n${BIG}\n${"-".padStart(19)}`,
  ],
  [
    "/_cat/blocks?h=block&v=false&s=b:desc",
    `${BIG}\n${"19".padStart(19)}\n${"18".padStart(19)}\n${"-".padStart(19)}`,
  ],
  ["/_cat/count?v=false&s=pages:desc", "4  4  3"],
  ["/_cat/health?h=store&v=false&s=latency", "SQLite"],
  ["/_cat/servers?h=host&v=false&s=port", "beta\nalpha"],
  ["/_cat/servers?h=host&v=false&s=received:desc", "beta\nalpha"],
  // help
  [
    "/_cat/hashes?help",
    "hash      | id                | SHA-256 of the page\ntimestamp | t,time,first_seen | when the page was first received, in seconds since the epoch",
  ],
  [
    "/_cat/clients?help=true",
    "client | c,ip       | address of the client\ncount  | n,messages | messages it has sent",
  ],
  // format
  [
    "/_cat/clients?format=text",
    "client       count\n10.0.0.2         2\n::1              1\n10.0.0.10        1",
  ],
  // size and before
  ["/_cat/hashes?h=hash&v=false&size=2", hashes(LAST, NINETEEN)],
  [`/_cat/hashes?h=hash&v=false&size=2&before=1795329812.75:${NINETEEN.hash}`, hashes(OTHER, EIGHTEEN)],
  ["/_cat/hashes?h=hash&v=false&before=1795329812.75", hashes(OTHER, EIGHTEEN)],
  ["/_cat/hashes?before=0", "hash    timestamp"],
  ["/_cat/blocks?h=b,i&v=false&size=1&before=1795329830", "19  12.250"],
  ["/_cat/clients?size=1&v=false", "10.0.0.2  2"],
  ["/_cat/clients?size=1&before=1&v=false", "::1  1"],
  ["/_cat/clients?size=2&before=1&v=false&s=client", "10.0.0.2  2\n::1       1"],
  ["/_cat/count?before=1&v=false", ""],
  ["/_cat/health?before=1&v=false", ""],
  ["/_cat/servers?size=1&before=1&h=host&v=false", "beta"],
];

/** Path, value. */
const JSON_VALUES: readonly (readonly [string, unknown])[] = [
  [
    "/_cat?format=json",
    [
      "/_cat/hashes",
      "/_cat/hashes/{hash}",
      "/_cat/clients",
      "/_cat/blocks",
      "/_cat/count",
      "/_cat/health",
      "/_cat/servers",
    ],
  ],
  ["/_cat/hashes?size=1", [{ hash: LAST.hash, timestamp: 1795329830 }]],
  [
    "/_cat/hashes?h=t&s=t&size=4",
    [{ t: 1795329800.5 }, { t: 1795329806.5789 }, { t: 1795329812.75 }, { t: 1795329830 }],
  ],
  ["/_cat/hashes?before=0&v=false", []],
  [
    "/_cat/clients?s=ip",
    [
      { client: "10.0.0.10", count: 1 },
      { client: "10.0.0.2", count: 2 },
      { client: "::1", count: 1 },
    ],
  ],
  ["/_cat/clients?size=1&before=2", [{ client: "10.0.0.10", count: 1 }]],
  [
    "/_cat/clients?help",
    [
      { name: "client", aliases: ["c", "ip"], description: "address of the client" },
      { name: "count", aliases: ["n", "messages"], description: "messages it has sent" },
    ],
  ],
  [
    "/_cat/blocks?size=3",
    [
      { block: String(BIG), hash: LAST.hash, timestamp: 1795329830, interval: 17.25, bytes: 465 },
      { block: 19, hash: NINETEEN.hash, timestamp: 1795329812.75, interval: 12.25, bytes: 448 },
      { block: null, hash: OTHER.hash, timestamp: 1795329806.5789, interval: null, bytes: 19 },
    ],
  ],
  ["/_cat/blocks?h=b&s=bytes,b:desc", [{ b: null }, { b: 19 }, { b: 18 }, { b: String(BIG) }]],
  ["/_cat/count", [{ pages: 4, messages: 4, clients: 3 }]],
  ["/_cat/health?h=store,state,sp", [{ store: "SQLite", state: "up", sp: 42 }]],
  [
    "/_cat/servers?size=1",
    [
      {
        host: "alpha",
        port: 10000,
        pid: 12,
        version: "1.2.3",
        uptime: 0,
        connections: 0,
        received: 20,
        stored: 4,
        spooled: 40,
      },
    ],
  ],
  ["/_cat/servers?h=po&s=po&v=false", [{ po: 9999 }, { po: 10000 }]],
];

describe("parameters, as text", () => {
  test.each(TEXT)("%s", async (path, expected) => {
    await using cat = await openFilled();
    const response = await cat.get(path);
    expect({
      status: response.status,
      type: response.headers.get("content-type"),
      body: await response.text(),
    }).toEqual({ status: 200, type: "text/plain; charset=utf-8", body: expected });
  });
});

describe("parameters, as JSON", () => {
  test.each(JSON_VALUES)("%s", async (path, expected) => {
    await using cat = await openFilled();
    const byFormat = await cat.get(
      path.includes("format=") ? path : `${path}${path.includes("?") ? "&" : "?"}format=json`,
    );
    const byHeader = await cat.get(path, { headers: { accept: "application/json, text/plain;q=0.5" } });
    for (const response of [byFormat, byHeader]) {
      expect({
        status: response.status,
        type: response.headers.get("content-type"),
        body: JSON.parse(await response.text()),
      }).toEqual({ status: 200, type: "application/json; charset=utf-8", body: expected });
    }
  });
});

const ROUTES = ["hashes", "clients", "blocks", "count", "health", "servers"].map((name) => `/_cat/${name}`);

/** Query, what the error says. */
const WRONG: readonly (readonly [string, string])[] = [
  ["sise=1", "with the unrecognized parameter [sise]: did you mean [size]?"],
  [
    "xyzzyxyzzy",
    "with the unrecognized parameter [xyzzyxyzzy]: there are [v], [h], [s], [help], [format], [size], [before]",
  ],
  ["v=maybe", "Cannot use parameter [v] with the value [maybe]: expected nothing behind it, true or false"],
  ["help=1", "Cannot use parameter [help] with the value [1]: expected nothing behind it, true or false"],
  ["h=", "Cannot use parameter [h] with the value []: expected names of columns, separated by commas"],
  ["h=zzz*", "Cannot use parameter [h] with the unknown column [zzz*]: there are ["],
  ["s=zzzzz", "Cannot use parameter [s] with the unknown column [zzzzz]: there are ["],
  [
    "format=jsn",
    "Cannot use parameter [format] with the value [jsn]: expected text or json; did you mean [json]?",
  ],
  ["size=0", "Cannot use parameter [size] with the value [0]: expected a whole number from 1 to 10000"],
  [
    "size=10001",
    "Cannot use parameter [size] with the value [10001]: expected a whole number from 1 to 10000",
  ],
  ["size=1e3", "Cannot use parameter [size] with the value [1e3]: expected a whole number from 1 to 10000"],
  ["size=1&size=2", "Cannot use parameter [size] more than once"],
  ["before=x", "Cannot use parameter [before] with the value [x]: expected "],
  ["h=%1b%5b2J%0ax", "[\\x1b[2J\\nx]"],
];

describe("wrong parameters", () => {
  const cases = ROUTES.flatMap((path) => WRONG.map(([query, message]) => [path, query, message] as const));
  test.each(cases)("%s?%s is answered 400", async (path, query, message) => {
    await using cat = await openFilled();
    const text = await cat.get(`${path}?${query}`);
    expect({ status: text.status, body: await text.text() }).toEqual({
      status: 400,
      body: expect.stringContaining(message),
    });
    const reason = await cat.text(`${path}?${query}`);
    const json = await cat.get(`${path}?${query}`, { headers: { accept: "application/json" } });
    // A wrong format is no wish for JSON.
    if (query.startsWith("format")) return;
    expect({ status: json.status, body: await json.json() }).toEqual({
      status: 400,
      body: {
        error: {
          root_cause: [{ type: "illegal_argument_exception", reason }],
          type: "illegal_argument_exception",
          reason,
        },
        status: 400,
      },
    });
  });

  const MEANT = [
    ["/_cat/hashes?h=hsh", "[hash]"],
    ["/_cat/hashes?s=timestanp:desc", "[timestamp]"],
    ["/_cat/blocks?h=intervall", "[interval]"],
    ["/_cat/servers?s=conections", "[connections]"],
    ["/_cat/clients?fromat=json", "[format]"],
    ["/_cat/clients?befor=1", "[before]"],
  ] as const;
  test.each(MEANT)("%s is told that %s was meant", async (path, meant) => {
    await using cat = await openFilled();
    expect(await cat.text(path)).toEndWith(`did you mean ${meant}?`);
  });

  test("a direction that is neither asc nor desc is refused", async () => {
    await using cat = await openFilled();
    expect(await cat.text("/_cat/hashes?s=hash:up")).toBe(
      "Cannot use parameter [s] with the value [hash:up]: expected names of columns, each with :asc or :desc or nothing behind it",
    );
  });

  test("a page takes no parameter but format", async () => {
    await using cat = await openFilled();
    expect(await cat.text(`/_cat/hashes/${LAST.hash}?v`)).toBe(
      "Cannot answer [/_cat/hashes/{hash}] with the unrecognized parameter [v]: there are [format]",
    );
  });
});

describe("the Link header", () => {
  test.each([
    "/_cat/hashes?size=3&h=hash&v=false",
    "/_cat/blocks?size=3&h=hash&v=false",
    "/_cat/clients?size=3&v=false&h=client",
  ])("leads through all of %s, each row once", async (path) => {
    const receipts = Array.from({ length: 10 }, (_, index) =>
      // Equal times across the ends of pages, and one that no binary fraction is equal to.
      receiptOf(`page ${index}`, {
        ip: `10.0.0.${index}`,
        receivedAtSeconds: 1795329800.1 + Math.floor(index / 4),
      }),
    );
    await using cat = await openCat({ receipts });
    const seen: string[] = [];
    let requests = 0;
    for (let next: string | undefined = path; next !== undefined; requests++) {
      const response = await cat.get(next);
      seen.push(...(await response.text()).split("\n").filter(Boolean));
      const query = /^<(.+)>; rel="next"$/.exec(response.headers.get("link") ?? "")?.[1];
      next = query && new URL(query, `http://localhost${path}`).href.replace("http://localhost", "");
    }
    const all = await cat.text(path.replace("size=3", "size=10000"));
    expect(seen).toEqual(all.split("\n"));
    expect({ rows: seen.length, requests }).toEqual({ rows: 10, requests: 4 });
  });
});
