import { handle, type LambdaContext, type LambdaEvent } from "hono/aws-lambda";
import { createCat } from "../../../lib/cat/app.ts";
import { Live } from "../../../lib/cat/dashboard/live.ts";
import { Stores } from "../../../lib/cat/stores.ts";
import { readCommandLine } from "../../../lib/cli.ts";
import { createLog } from "../../../lib/log.ts";
import { statsFlags } from "../../../lib/settings/stats.ts";
import { openDatabaseReaders } from "../../../lib/store/databases.ts";
import { VERSION } from "../../../lib/version.ts";
import { cutEvents } from "./cut_events.ts";
import { readReport, renderReport } from "./report.ts";
import { readSecrets } from "./secrets.ts";

/** What a function keeps from one invocation to the next: its connections above all. */
const keep = createKeeper(open);

/** Answers an event of an HTTP API (AWS, payload format 2.0) as `stats.ts` answers HTTP. */
export async function handler(event: LambdaEvent, context?: LambdaContext) {
  return (await keep()).answer(event, context);
}

/** Looks at the stores and writes how the system is, which CloudWatch takes metrics from. */
export async function watch(): Promise<void> {
  const { readers } = await keep();
  const nowMs = Date.now();
  const report = await readReport({ ...readers, nowMs });
  process.stdout.write(`${renderReport(report, { system: process.env["SYSTEM"] ?? "Eth", nowMs })}\n`);
}

async function open() {
  const env = await readSecrets(process.env);
  const entry = { name: "stats", version: VERSION, summary: "", flags: statsFlags, examples: [] };
  const request = readCommandLine(entry, { argv: [], env });
  if (request.kind !== "run") throw new Error(`Cannot answer a request for ${request.kind}`);
  const { settings } = request;
  const log = createLog({ format: "json", verbose: settings.verbose });
  const readers = openDatabaseReaders(settings);
  const live = new Live({ stores: new Stores({ ...readers, log }) });
  const app = createCat({ ...readers, log, live, auth: settings.auth });
  const { fetch } = app;
  app.fetch = async (...request) => cutEvents(await fetch(...request));
  return { readers, answer: handle(app) };
}

/** Opens once, at the first use; when that fails, at the next use again. */
function createKeeper<Opened>(openAnew: () => Promise<Opened>): () => Promise<Opened> {
  let opened: Promise<Opened> | undefined;
  return () =>
    (opened ??= openAnew().catch((error: unknown) => {
      opened = undefined;
      throw error;
    }));
}
