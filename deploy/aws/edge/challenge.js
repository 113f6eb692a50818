// Asks for a user and a password at the edge of CloudFront, as an HTTP API renames the header that makes browsers ask.
// Whether they are right is seen behind it. Runs on CloudFront's own JavaScript, which knows less than others and calls
// handler().
// oxlint-disable-next-line no-unused-vars
function handler(event) {
  const request = event.request;
  if (request.headers.authorization || request.uri === "/healthz") return request;
  return {
    statusCode: 401,
    statusDescription: "Unauthorized",
    headers: {
      "www-authenticate": { value: 'Basic realm="stats"' },
      "content-type": { value: "text/plain; charset=utf-8" },
      "cache-control": { value: "no-store" },
    },
    body: "Unauthorized",
  };
}
