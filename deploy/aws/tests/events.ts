/** An event of an HTTP API (AWS, "Working with AWS Lambda proxy integrations for HTTP APIs", payload format 2.0). */
export type ApiEvent = ReturnType<typeof recordEvent>;

/** What a viewer asks. */
export interface Ask {
  readonly method?: string;
  readonly path: string;
  readonly query?: string;
  /** Added to those of every viewer; an empty one is left out. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** The viewer's own headers, without those that the way to the function adds. */
export function headersOf({ headers = {} }: Ask): Readonly<Record<string, string>> {
  const all = { accept: "*/*", "accept-encoding": "identity", ...headers };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== ""));
}

/** The event that the HTTP API makes of what a viewer asks through CloudFront. */
export function recordEvent(ask: Ask) {
  const { method = "GET", path, query = "" } = ask;
  const domainName = "k2x9example.execute-api.us-east-1.amazonaws.com";
  return {
    version: "2.0",
    routeKey: path === "/" ? "ANY /" : "ANY /{proxy+}",
    rawPath: path,
    rawQueryString: query,
    headers: {
      ...headersOf(ask),
      "content-length": "0",
      host: domainName,
      "user-agent": "Amazon CloudFront",
      via: "2.0 3f1d2c.cloudfront.net (CloudFront)",
      "x-amz-cf-id": "Rr0h3Fh5wYxk3J0u2E8q9l4Example==",
      "x-amzn-trace-id": "Root=1-65a1b2c3-0a1b2c3d4e5f60718293a4b5",
      "x-forwarded-for": "198.51.100.7, 203.0.113.9",
      "x-forwarded-port": "443",
      "x-forwarded-proto": "https",
    } as Record<string, string | undefined>,
    ...(query ? { queryStringParameters: Object.fromEntries(new URLSearchParams(query)) } : {}),
    requestContext: {
      accountId: "123456789012",
      apiId: "k2x9example",
      authentication: null,
      authorizer: {},
      domainName,
      domainPrefix: "k2x9example",
      http: {
        method,
        path,
        protocol: "HTTP/1.1",
        sourceIp: "203.0.113.9",
        userAgent: "Amazon CloudFront",
      },
      requestId: "Xb3jqgexample=",
      routeKey: path === "/" ? "ANY /" : "ANY /{proxy+}",
      stage: "$default",
      time: "22/Nov/2026:09:00:00 +0000",
      timeEpoch: 1795338000000,
    },
    ...(path === "/" ? {} : { pathParameters: { proxy: path.slice(1) } }),
    isBase64Encoded: false,
  };
}
