// Stands in for Lambda's runtime on Node.js: reads invocations, one in JSON a line, and writes what they resolve to.
import { createInterface } from "node:readline";

const startedAt = performance.now();
const handlers = await import(process.argv[2]);
const loadedMs = performance.now() - startedAt;
console.log(`LOADED ${JSON.stringify({ loadedMs })}`);

for await (const line of createInterface({ input: process.stdin })) {
  const { name, event } = JSON.parse(line);
  const invokedAt = performance.now();
  try {
    const value = await handlers[name](event, { awsRequestId: "test" });
    console.log(`RESULT ${JSON.stringify({ value: value ?? null, ms: performance.now() - invokedAt })}`);
  } catch (error) {
    console.log(`RESULT ${JSON.stringify({ error: String(error) })}`);
  }
}
process.exit(0);
