import { NetstringDecoder, NetstringError } from "../lib/wire/netstring.ts";
import { createRandom } from "../tests/support/random.ts";
import { okFor } from "../tests/support/netstring_client.ts";
import { exchange } from "./good_clients.ts";
import { count, type LedgerLine, type Scale, type Scenario } from "./ledger.ts";
import { startServer } from "./server_process.ts";

const MAX_PAYLOAD_BYTES = 65_535;
const CONNECTIONS = 24;
const LIVE_ADDRESSES = 8;

/** What a stream means: payloads, and then why it cannot be read on, or whether it ends in the middle. */
interface Meaning {
  readonly payloads: readonly string[];
  readonly end: "clean" | "partial" | "malformed" | "too-large";
}

/** Fuzzes the decoder, against another one that is as simple as can be, and then a live server. */
export const fuzz: Scenario = async (scale) => [fuzzDecoder(scale), await fuzzServer(scale)];

function fuzzDecoder({ isLong }: Scale): LedgerLine {
  const streams = isLong ? 1_000_000 : 100_000;
  const ends = { clean: 0, partial: 0, malformed: 0, "too-large": 0 };
  let wrong = 0;
  let residentEarly = 0;
  for (let seed = 1; seed <= streams; seed++) {
    const random = createRandom(seed);
    const stream = mutate(random);
    const expected = readSimply(stream);
    const actual = decode(cut(stream, random));
    if (JSON.stringify(actual) !== JSON.stringify(expected)) {
      wrong++;
      if (wrong === 1)
        console.error(
          `Seed ${seed}: ${JSON.stringify({ actual, expected, stream: stream.toString("latin1") })}`,
        );
    }
    ends[expected.end]++;
    if (seed === streams / 5) {
      Bun.gc(true);
      residentEarly = process.memoryUsage.rss();
    }
  }
  Bun.gc(true);
  const growth = process.memoryUsage.rss() / residentEarly;
  const share = Object.entries(ends)
    .map(([end, number]) => `${end} ${count(number)}`)
    .join(", ");
  return {
    done: `${count(streams)} mutated streams against the decoder and a simple one (seeds 1 to ${count(streams)})`,
    tried: streams,
    refused: ends.malformed + ends["too-large"],
    lost: wrong,
    figures: `${share}; resident memory at the end ${(growth * 100).toFixed(0)} % of that after a fifth`,
    promises: { "both decoders agree on each": wrong === 0, "memory does not grow": growth < 1.2 },
  };
}

async function fuzzServer({ isLong }: Scale): Promise<LedgerLine> {
  const streams = isLong ? 100_000 : 6000;
  await using server = await startServer({ flags: ["--no-store"] });
  let wrong = 0;
  let refused = 0;
  let seed = 0;
  let residentEarly = 0;
  const work = async () => {
    while (seed < streams) {
      const own = ++seed;
      const random = createRandom(own);
      const stream = mutate(random);
      const expected = repliesTo(readSimply(stream));
      const where = { hostname: `127.0.0.${1 + (own % LIVE_ADDRESSES)}`, port: server.port };
      const answer = await exchange(where, ...cut(stream, random).slice(0, 8));
      const actual = readReplies(answer);
      refused += expected.filter((reply) => !reply.startsWith("ok")).length;
      if (actual.join() !== expected.join()) {
        wrong++;
        if (wrong === 1)
          console.error(
            `Seed ${own}: ${JSON.stringify({ answer, expected, stream: stream.toString("latin1") })}`,
          );
      }
      if (own === Math.floor(streams / 5)) residentEarly = server.residentMegabytes;
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, work));
  const resident = server.residentMegabytes;
  const isRunning = server.isRunning;
  const status = await server.stop();
  return {
    done: `${count(streams)} mutated streams against a server, each over its own connection${isLong ? "" : " (100,000 in the long form)"}`,
    tried: streams,
    refused,
    lost: wrong,
    figures: `resident memory ${residentEarly} MB after a fifth, ${resident} MB at the end`,
    promises: {
      "every stream is answered as it means": wrong === 0,
      "the server does not crash": isRunning && status === 0,
      "memory does not grow": resident < residentEarly * 1.2 + 20,
    },
  };
}

function mutate(random: () => number): Buffer {
  const pick = (below: number) => Math.floor(random() * below);
  const messages = Array.from({ length: 1 + pick(5) }, () => {
    const payload = Buffer.from(
      Array.from({ length: pick(random() < 0.1 ? 2000 : 40) }, () => pick(random() < 0.7 ? 128 : 256)),
    );
    return Buffer.concat([Buffer.from(`${payload.length}:`), payload, Buffer.from(",")]);
  });
  let bytes: Buffer = Buffer.concat(messages);
  for (let change = pick(4); change > 0; change--) {
    const at = pick(bytes.length + 1);
    const [before, after] = [bytes.subarray(0, at), bytes.subarray(at)];
    const kind = pick(6);
    if (kind === 0) bytes = Buffer.concat([before, Buffer.of(pick(256)), after.subarray(1)]);
    else if (kind === 1) bytes = Buffer.concat([before, after.subarray(1 + pick(5))]);
    else if (kind === 2)
      bytes = Buffer.concat([before, Buffer.from(Array.from({ length: pick(6) }, () => pick(256))), after]);
    else if (kind === 3) bytes = Buffer.concat([before, Buffer.from(`${pick(2 ** 31)}:`), after]);
    else if (kind === 4) bytes = Buffer.from(before);
    else
      bytes = Buffer.concat([
        before,
        Buffer.from(["0", "00:,", "9223372036854775808:", "-1:", ",,", "0:,"][pick(6)] ?? ""),
        after,
      ]);
  }
  return bytes;
}

function cut(stream: Buffer, random: () => number): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0; at < stream.length;) {
    // The live server is given eight pieces at most: the last one is what is left then.
    const length = pieces.length === 7 ? stream.length : 1 + Math.floor(random() * random() * 200);
    pieces.push(stream.subarray(at, at + length));
    at += length;
  }
  return pieces;
}

function decode(pieces: readonly Uint8Array[]): Meaning {
  const decoder = new NetstringDecoder({ maxPayloadBytes: MAX_PAYLOAD_BYTES });
  const payloads: string[] = [];
  try {
    for (const piece of pieces)
      for (const payload of decoder.push(piece)) payloads.push(Buffer.from(payload).toString("latin1"));
  } catch (error) {
    if (error instanceof NetstringError) return { payloads, end: error.code };
    throw error;
  }
  return { payloads, end: decoder.isPartial ? "partial" : "clean" };
}

/** The other decoder: it has the whole stream as a text, and reads it by the definition. */
function readSimply(stream: Buffer): Meaning {
  const text = stream.toString("latin1");
  const payloads: string[] = [];
  for (let at = 0; at < text.length;) {
    let digits = "";
    while ("0123456789".includes(text[at] ?? "x")) {
      digits += text[at++];
      if (digits.length > 1 && digits.startsWith("0")) return { payloads, end: "malformed" };
      if (Number(digits) > MAX_PAYLOAD_BYTES) return { payloads, end: "too-large" };
    }
    if (at === text.length) return { payloads, end: "partial" };
    if (digits === "" || text[at] !== ":") return { payloads, end: "malformed" };
    const end = at + 1 + Number(digits);
    if (end >= text.length) return { payloads, end: "partial" };
    if (text[end] !== ",") return { payloads, end: "malformed" };
    payloads.push(text.slice(at + 1, end));
    at = end + 1;
  }
  return { payloads, end: "clean" };
}

function repliesTo({ payloads, end }: Meaning): string[] {
  const replies = payloads.map((text) => {
    const payload = Buffer.from(text, "latin1");
    if (payload.length === 0) return "error empty";
    return Buffer.from(payload.toString()).equals(payload) ? okFor(payload) : "error not-utf8";
  });
  if (end === "clean") return replies;
  return [...replies, end === "too-large" ? "error too-large" : "error malformed"];
}

function readReplies(answer: string): string[] {
  const replies = readSimply(Buffer.from(answer, "latin1"));
  const texts = replies.payloads.map((text) =>
    text.startsWith("error ") ? text.split(" ").slice(0, 2).join(" ") : text,
  );
  return replies.end === "clean" ? texts : [...texts, answer];
}
