import type { TempFolder } from "./temp_folder.ts";

/** Paths of PEM files. */
export interface Certificates {
  /** An authority. */
  readonly ca: string;
  readonly caKey: string;
  /** Its certificate for `server.test` and 127.0.0.1. */
  readonly cert: string;
  readonly key: string;
}

const NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];

/** Makes an authority and a certificate with the `openssl` command. */
export function makeCertificates(folder: TempFolder, name = "test"): Certificates {
  const file = (part: string) => folder.file(`${name}_${part}.pem`);
  const [ca, caKey, cert, key] = [file("ca"), file("ca_key"), file("cert"), file("key")];
  makeCertificate("-subj", `/CN=${name} authority`, "-keyout", caKey, "-out", ca);
  const names = ["-addext", "subjectAltName=DNS:server.test,IP:127.0.0.1"];
  const signed = ["-CA", ca, "-CAkey", caKey, "-addext", "basicConstraints=critical,CA:FALSE"];
  makeCertificate("-subj", "/CN=server.test", "-keyout", key, "-out", cert, ...names, ...signed);
  return { ca, caKey, cert, key };
}

function makeCertificate(...options: readonly string[]): void {
  const { exitCode, stderr } = Bun.spawnSync(["openssl", "req", "-x509", ...NEW_KEY, ...options]);
  if (exitCode !== 0) throw new Error(`openssl ${options.join(" ")} failed: ${stderr.toString()}`);
}
