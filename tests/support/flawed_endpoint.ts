/** An HTTP endpoint in front of a real node, which answers as wrongly as it is told. */
export interface FlawedEndpoint extends AsyncDisposable {
  readonly url: string;
  /** Address of the node behind it; while there is none, it answers HTTP 502. */
  nodeUrl: string | undefined;
  /** Changes a block number on its way. */
  number: (number: bigint) => bigint;
  /** Answers instead of the node, when there is something to answer. */
  fault: (() => Response) | undefined;
}

/** Starts an endpoint without a flaw, and without a node behind it. */
export function startFlawedEndpoint(): FlawedEndpoint {
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request) {
      if (endpoint.fault) return endpoint.fault();
      const body = (await request.json()) as { method: string };
      if (!endpoint.nodeUrl) return new Response("no node", { status: 502 });
      const headers = { "content-type": "application/json" };
      const response = await fetch(endpoint.nodeUrl, { method: "POST", headers, body: JSON.stringify(body) });
      const answer = (await response.json()) as { result: string };
      if (body.method !== "eth_blockNumber") return Response.json(answer);
      const number = endpoint.number(BigInt(answer.result));
      return Response.json({ ...answer, result: `0x${(number < 0n ? 0n : number).toString(16)}` });
    },
    error: () => new Response("the node is gone", { status: 502 }),
  });
  const endpoint: FlawedEndpoint = {
    url: `http://127.0.0.1:${server.port}`,
    nodeUrl: undefined,
    number: (number) => number,
    fault: undefined,
    async [Symbol.asyncDispose]() {
      await server.stop(true);
    },
  };
  return endpoint;
}
