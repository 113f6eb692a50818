import { chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { Program, type ProgramEnd } from "../../tests/support/program.ts";
import { until } from "../../tests/support/until.ts";
import { buildah, readImageConfig, type ImageConfig } from "./buildah.ts";

/** Options of {@linkcode startContainer}. */
export interface ContainerOptions {
  /** Added to the environment of the image. */
  readonly env?: Readonly<Record<string, string>>;
  /** Folders of the machine by the folder of the container that they stand for, which can be read there. */
  readonly mounts?: Readonly<Record<string, string>>;
}

/** Process 1, its file system and what it may do, as an engine sets them up with `--read-only`. */
const START = `
root=$1 volumes=$2 user=$3 folder=$4; shift 4
mount --make-rprivate /
mount --bind "$root" "$root"
echo "$volumes" | while read -r source target; do
  [ -z "$source" ] || { mkdir -p "$root$target"; mount --bind "$source" "$root$target"; }
done
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -o remount,bind,ro "$root"
exec chroot --userspec="$user" --groups="" "$root" /usr/bin/env --ignore-environment --chdir="$folder" "$@"
`;

/**
 * Starts a container of an image as an engine would: its entrypoint is process 1 of a namespace of its own, runs as
 * the image's user, and can write its volumes only. Networks are the machine's.
 */
export async function startContainer(
  image: string,
  { env = {}, mounts = {} }: ContainerOptions = {},
): Promise<Container> {
  const config = await readImageConfig(image);
  const id = await buildah("from", "--pull=never", image);
  const root = await buildah("mount", id);
  const volumes = Object.keys(config.Volumes ?? {}).map((target) => {
    const source = mkdtempSync("/var/tmp/eth-volume-");
    mkdirSync(join(root, target), { recursive: true });
    // An engine fills a new volume with what the image has there: here that is an owner alone.
    const { uid, gid } = statSync(join(root, target));
    chownSync(source, uid, gid);
    return { source, target };
  });
  const binds = [...volumes, ...Object.entries(mounts).map(([target, source]) => ({ source, target }))];
  const variables = [
    ...(config.Env ?? []),
    ...Object.entries(env).map(([name, value]) => `${name}=${value}`),
  ];
  const program = new Program(
    [
      "unshare",
      "--mount",
      "--pid",
      "--ipc",
      "--uts",
      "--fork",
      "--kill-child",
      "sh",
      "-ec",
      START,
      "sh",
      root,
      binds.map(({ source, target }) => `${source} ${target}`).join("\n"),
      config.User ?? "0:0",
      config.WorkingDir ?? "/",
      ...variables,
      ...(config.Entrypoint ?? []),
      ...(config.Cmd ?? []),
    ],
    {},
  );
  return new Container(program, { id, config, variables, folders: volumes.map(({ source }) => source) });
}

interface Parts {
  readonly id: string;
  readonly config: ImageConfig;
  readonly variables: readonly string[];
  readonly folders: readonly string[];
}

/** A container that runs; disposing it removes it and its volumes. */
export class Container implements AsyncDisposable {
  readonly #program: Program;
  readonly #parts: Parts;

  constructor(program: Program, parts: Parts) {
    this.#program = program;
    this.#parts = parts;
  }

  get stdout(): string {
    return this.#program.stdout;
  }

  /** Resolves once it has ended. */
  get ended(): Promise<ProgramEnd> {
    return this.#program.ended;
  }

  /** Resolves to the first match in what it has written, or will write. */
  match(pattern: RegExp): Promise<RegExpExecArray> {
    return this.#program.match(pattern);
  }

  /** Resolves to the number that its process 1 has outside of it, once it is the program of the image. */
  pid(): Promise<number> {
    return until(
      () => {
        const { pid } = this.#program;
        const child = Number(readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8"));
        return readFileSync(`/proc/${child}/comm`, "utf8").trim() === "bun" && child;
      },
      { what: "process 1 of the container" },
    );
  }

  /** Reads the fields of process 1's status, as proc(5) has them. */
  async status(): Promise<ReadonlyMap<string, string>> {
    const text = readFileSync(`/proc/${await this.pid()}/status`, "utf8");
    return new Map(text.split("\n").map((line) => line.split(":\t") as [string, string]));
  }

  /** Sends a signal to process 1. */
  async kill(signal: NodeJS.Signals): Promise<void> {
    process.kill(await this.pid(), signal);
  }

  /** Runs a command in it as the image's user; resolves to its status. */
  async run(command: readonly string[]): Promise<number> {
    const [uid, gid] = (this.#parts.config.User ?? "0:0").split(":");
    const enter = ["nsenter", `--target=${await this.pid()}`, "--mount", "--pid", "--root", "--wd"];
    const as = [`--setuid=${uid}`, `--setgid=${gid}`, "/usr/bin/env", "--ignore-environment"];
    const child = Bun.spawn([...enter, ...as, ...this.#parts.variables, ...command], {
      stdio: ["ignore", "ignore", "ignore"],
    });
    return child.exited;
  }

  /** Runs the health check of the image; resolves to whether it is healthy. */
  async isHealthy(): Promise<boolean> {
    const [kind, ...command] = this.#parts.config.Healthcheck?.Test ?? [];
    if (kind !== "CMD") throw new Error(`Cannot run a health check of the kind ${kind}`);
    return (await this.run(command)) === 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Process 1 has changed its user, after which the end of unshare does not reach it.
    if (!this.#program.hasEnded) await this.kill("SIGKILL").catch(() => {}); // it may be ending by itself
    await this.#program[Symbol.asyncDispose]();
    await buildah("rm", this.#parts.id);
    for (const folder of this.#parts.folders) rmSync(folder, { recursive: true, force: true });
  }
}
