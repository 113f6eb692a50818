/** What a JSON-RPC request asks for. */
export interface AskedCall {
  readonly id: unknown;
  readonly method: string;
  readonly params: readonly unknown[];
}

/** Gives the answer to one request. */
export type Answer = (call: AskedCall) => Response | Promise<Response>;

/** A node that answers as it is told; disposing it cuts what is under way. */
export interface FakeNode extends AsyncDisposable {
  readonly url: string;
  /** Requests so far, but for those of the chain id. */
  readonly calls: readonly AskedCall[];
  /** Answers the next requests in this order; the last answer is given again and again. */
  script(...answers: readonly Answer[]): void;
}

/** Starts a node that answers by a script. */
export function startFakeNode(...answers: readonly Answer[]): FakeNode {
  const calls: AskedCall[] = [];
  let waiting = [...answers];
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 0,
    async fetch(request) {
      const call = (await request.json()) as AskedCall;
      if (call.method === "eth_chainId") return result("0x1")(call);
      calls.push(call);
      const answer = waiting.length > 1 ? waiting.shift() : waiting[0];
      return answer ? answer(call) : new Response("nothing is scripted", { status: 500 });
    },
  });
  return {
    url: `http://127.0.0.1:${server.port}`,
    calls,
    script(...next) {
      waiting = [...next];
    },
    async [Symbol.asyncDispose]() {
      await server.stop(true);
    },
  };
}

/** Answers with a result, as a node should. */
export function result(value: unknown): Answer {
  return ({ id }) => Response.json({ jsonrpc: "2.0", id, result: value });
}

/** Answers with a block number. */
export function block(number: number | bigint): Answer {
  return result(`0x${number.toString(16)}`);
}

/** Answers with a JSON-RPC error. */
export function rpcError(code: number, message: string, init?: ResponseInit): Answer {
  return ({ id }) => Response.json({ jsonrpc: "2.0", id, error: { code, message } }, init);
}

/** Answers with a body as it is. */
export function body(text: string, init?: ResponseInit): Answer {
  return () => new Response(text, init);
}

/** Answers with the headers and never with the end of the body, in pieces of so many bytes. */
export function endlessBody(pieceBytes: number): Answer {
  const piece = new Uint8Array(pieceBytes).fill(0x20);
  return () =>
    new Response(
      new ReadableStream({
        async pull(controller) {
          controller.enqueue(piece);
          await Bun.sleep(1);
        },
      }),
    );
}

/** Never answers. */
export function silence(): Answer {
  return () => new Promise(() => {});
}

/** What a node may do wrong, and how what is said of it begins. */
export const BAD_ANSWERS: readonly (readonly [name: string, answer: Answer, said: string])[] = [
  ["an HTTP error", body("oops", { status: 500 }), "answered HTTP 500"],
  ["a rate limit", body("slow down", { status: 429 }), "answered HTTP 429"],
  ["a JSON-RPC error", rpcError(-32000, "no head yet"), "answered error -32000: no head yet"],
  [
    "a JSON-RPC error with HTTP 429",
    rpcError(-32005, "limit exceeded", { status: 429 }),
    "answered error -32005: limit exceeded",
  ],
  ["garbage", body("\u0000\u001b[2J}{"), "answered what is not JSON-RPC: \u0000\u001b[2J}{"],
  ["HTML", body("<html>hi</html>"), "answered what is not JSON-RPC: <html>hi</html>"],
  ["JSON of another shape", body("[1]"), "answered what is not JSON-RPC: [1]"],
  ["an empty body", body(""), "answered with nothing"],
  ["a body that never ends", endlessBody(200_000), "answered with more than 1048576 bytes"],
  ["a body that never comes", endlessBody(0), "did not answer within 0.3 s"],
  ["silence", silence(), "did not answer within 0.3 s"],
  [
    "a wrong id",
    ({ id }) => Response.json({ jsonrpc: "2.0", id: Number(id) + 1, result: "0x1" }),
    "answered another request than was made",
  ],
  ["null", result(null), "answered eth_blockNumber with null"],
  ["a number", result(5), "answered eth_blockNumber with 5"],
  ["a decimal text", result("5"), 'answered eth_blockNumber with "5"'],
  ["an empty quantity", result("0x"), 'answered eth_blockNumber with "0x"'],
  ["a leading zero", result("0x01"), 'answered eth_blockNumber with "0x01"'],
  [
    "a quantity of 2^256",
    result(`0x1${"0".repeat(64)}`),
    `answered eth_blockNumber with "0x1${"0".repeat(64)}"`,
  ],
  ["an object", result({ number: "0x5" }), 'answered eth_blockNumber with {"number":"0x5"}'],
  [
    "no result",
    ({ id }) => Response.json({ jsonrpc: "2.0", id }),
    'answered what is not JSON-RPC: {"jsonrpc":"2.0"',
  ],
];
