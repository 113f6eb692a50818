/** How much of it is done. */
export interface Scale {
  /** The long form is what the README quotes; the short one fits into a check of every change. */
  readonly isLong: boolean;
}

/** What one scenario has done, and whether it kept the promises that it is about. */
export interface LedgerLine {
  /** What was done, with its scale. */
  readonly done: string;
  readonly tried: number;
  readonly refused: number;
  /** What was acknowledged and is not there, or a sender that should have been served and was not. */
  readonly lost: number;
  readonly figures: string;
  /** Promises by their sentence. */
  readonly promises: Readonly<Record<string, boolean>>;
}

/** One kind of trouble; gives its ledger lines. */
export type Scenario = (scale: Scale) => Promise<readonly LedgerLine[]>;

/** Writes a line; gives whether all promises were kept. */
export function writeLine({ done, tried, refused, lost, figures, promises }: LedgerLine): boolean {
  const broken = Object.entries(promises).filter(([, isKept]) => !isKept);
  const end = broken.length > 0 ? ` | BROKEN: ${broken.map(([promise]) => promise).join("; ")}` : "";
  const counts = `tried ${count(tried)}, refused ${count(refused)}, lost ${count(lost)}`;
  console.log(`${end ? "FAIL" : "ok  "} ${done}: ${counts} | ${figures}${end}`);
  return !end;
}

/** Writes a number with separators. */
export function count(number: number): string {
  return number.toLocaleString("en");
}
