import { writeFileSync } from "node:fs";
import type { Certificates } from "./certificates.ts";
import type { TempFolder } from "./temp_folder.ts";

/** Paths of the PEM files of one certificate. */
export interface CertificatePair {
  readonly cert: string;
  readonly key: string;
}

const NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

/** Makes a certificate of an authority for another name than that of the machine. */
export function makeNamed(
  folder: TempFolder,
  { ca, caKey, name, days = "2" }: Pick<Certificates, "ca" | "caKey"> & { name: string; days?: string },
): CertificatePair {
  const file = (part: string) => folder.file(`${name}_${days}_${part}.pem`);
  const [request, names, cert, key] = [file("request"), file("names"), file("cert"), file("key")];
  writeFileSync(names, `subjectAltName=${/^[\d.]+$/.test(name) ? "IP" : "DNS"}:${name}`);
  openssl("req", ...NEW_KEY, "-subj", `/CN=${name}`, "-keyout", key, "-out", request);
  const signed = ["-CA", ca, "-CAkey", caKey, "-extfile", names, "-days", days];
  openssl("x509", "-req", "-in", request, ...signed, "-out", cert);
  return { cert, key };
}

/** Makes a certificate of an authority that expired yesterday, for 127.0.0.1. */
export function makeExpired(
  folder: TempFolder,
  authority: Pick<Certificates, "ca" | "caKey">,
): CertificatePair {
  return makeNamed(folder, { ...authority, name: "127.0.0.1", days: "-1" });
}

function openssl(...options: readonly string[]): void {
  const { exitCode, stderr } = Bun.spawnSync(["openssl", ...options]);
  if (exitCode !== 0) throw new Error(`openssl ${options.join(" ")} failed: ${stderr.toString()}`);
}
