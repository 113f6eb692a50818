/** A metric as Prometheus would read it. */
export interface ParsedMetric {
  readonly type: string;
  readonly help: string;
  /** Values by name and labels, as they are written. */
  readonly samples: ReadonlyMap<string, number>;
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{.*\})? (\S+)$/;
const LABELS = /^\{[a-zA-Z_]\w*="(?:[^"\\\n]|\\[\\"n])*"(?:,[a-zA-Z_]\w*="(?:[^"\\\n]|\\[\\"n])*")*\}$/;

/**
 * Parses Prometheus' text format (prometheus.io, "Exposition formats", version 0.0.4), by the letter.
 *
 * @throws {SyntaxError} at the first line that is wrong
 */
export function parsePrometheus(text: string): ReadonlyMap<string, ParsedMetric> {
  const metrics = new Map<string, { type: string; help: string; samples: Map<string, number> }>();
  if (!text.endsWith("\n")) throw new SyntaxError("The last line must end with a newline");
  let current: { name: string; type: string; samples: Map<string, number> } | undefined;
  let help: { name: string; text: string } | undefined;
  for (const line of text.split("\n")) {
    if (line === "") continue;
    if (line.startsWith("# HELP ")) {
      const [, name = "", words = ""] = /^# HELP (\S+) (.+)$/.exec(line) ?? [];
      if (!NAME.test(name) || metrics.has(name)) throw new SyntaxError(`Wrong or second HELP: ${line}`);
      help = { name, text: words };
    } else if (line.startsWith("# TYPE ")) {
      const [, name = "", type = ""] = /^# TYPE (\S+) (counter|gauge|histogram)$/.exec(line) ?? [];
      if (help?.name !== name) throw new SyntaxError(`TYPE without its HELP: ${line}`);
      current = { name, type, samples: new Map() };
      metrics.set(name, { type, help: help.text, samples: current.samples });
    } else {
      const [, name = "", labels = "", value = ""] = SAMPLE.exec(line) ?? [];
      if (!current || !belongs(name, current)) throw new SyntaxError(`Sample without its TYPE: ${line}`);
      if (labels !== "" && !LABELS.test(labels)) throw new SyntaxError(`Wrong labels: ${line}`);
      const number = value === "+Inf" ? Number.POSITIVE_INFINITY : Number(value);
      if (Number.isNaN(number)) throw new SyntaxError(`Wrong value: ${line}`);
      if (current.samples.has(name + labels)) throw new SyntaxError(`Second sample: ${line}`);
      current.samples.set(name + labels, number);
    }
  }
  for (const [name, metric] of metrics) checkConventions(name, metric);
  return metrics;
}

function belongs(sample: string, { name, type }: { name: string; type: string }): boolean {
  if (type !== "histogram") return sample === name;
  return [`${name}_bucket`, `${name}_sum`, `${name}_count`].includes(sample);
}

function checkConventions(name: string, { type, samples }: ParsedMetric): void {
  if ((type === "counter") !== name.endsWith("_total"))
    throw new SyntaxError(`Counters, and they alone, end with _total: ${name}`);
  if (type !== "histogram") return;
  const buckets = [...samples].filter(([sample]) => sample.startsWith(`${name}_bucket`));
  const counts = buckets.map(([, value]) => value);
  if (counts.some((value, index) => value < (counts[index - 1] ?? 0)))
    throw new SyntaxError(`Buckets must not fall: ${name}`);
  if (!buckets.at(-1)?.[0].includes('le="+Inf"') || counts.at(-1) !== samples.get(`${name}_count`))
    throw new SyntaxError(`The last bucket holds all: ${name}`);
}
