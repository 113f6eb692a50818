import { z } from "zod";

/** One command line flag, which is also an environment variable. */
export interface Flag<Value = unknown> {
  /** Name without dashes. */
  readonly flag: string;
  /** One-letter form without its dash. */
  readonly alias?: string;
  /** Stands for the value in the help; a flag without one is a switch. */
  readonly placeholder?: string;
  /** What it does, for the help. */
  readonly description: string;
  /** Value when neither flag nor environment give one, as it would be typed; without it the setting is undefined. */
  readonly default?: string;
  /** Shown as the default in the help, where the value itself says little. */
  readonly defaultText?: string;
  /** Environment variable shared with other programs, which is asked last. */
  readonly sharedEnv?: string;
  /** Never shown; its environment variables may instead name a file that holds it, with `_FILE` behind their names. */
  readonly secret?: true;
  /** May be given more than once; the values are joined by commas before they are parsed. */
  readonly repeatable?: true;
  /** Flags without which it means nothing. */
  readonly needs?: readonly string[];
  /** Turns what was typed into the setting; each of its errors reads on after "expected". */
  readonly schema: z.ZodType<Value, string>;
}

/** The flags of an entry, by the name of the setting that each gives. */
export type Flags = Readonly<Record<string, Flag>>;

/** The settings that flags give. */
export type SettingsOf<F extends Flags> = {
  readonly [Name in keyof F]:
    z.output<F[Name]["schema"]> | (F[Name] extends { readonly default: string } ? never : undefined);
};

type Described = Pick<
  Flag,
  "flag" | "description" | "sharedEnv" | "secret" | "default" | "defaultText" | "needs"
>;

/** Highest number of a TCP port. */
export const HIGHEST_PORT = 65_535;

/** Declares a switch, which is off unless given. */
export function toggle<const F extends Described & { readonly alias?: string }>(flag: F) {
  return {
    ...flag,
    default: "false",
    schema: z.stringbool({ error: "nothing behind it, or =true or =false" }),
  } as const;
}

/** Declares a flag whose value is any text that is not empty. */
export function words<const F extends Described & { readonly placeholder: string }>(flag: F) {
  return { ...flag, schema: z.string().min(1, { error: "a value that is not empty" }) };
}

/** Declares a flag whose value names a file. */
export function file<const F extends Described>(flag: F) {
  return words({ ...flag, placeholder: "FILE" });
}

/** Declares a flag whose value is the name or the address of a host. */
export function host<const F extends Described>(flag: F) {
  return words({ ...flag, placeholder: "HOST" });
}

/** Declares a flag whose value is a port to connect to. */
export function port<const F extends Described>(flag: F) {
  return whole({ min: 1, max: HIGHEST_PORT }, { ...flag, placeholder: "PORT" });
}

/** Declares a flag whose value is a port to listen on. */
export function listenPort<const F extends Described>(flag: F) {
  return whole({ min: 0, max: HIGHEST_PORT }, { ...flag, placeholder: "PORT" });
}

/** Declares a flag whose value is a list: of several values, or of one with commas. */
export function list<Item, const F extends Described & { readonly placeholder: string }>(
  item: z.ZodType<Item, string>,
  flag: F,
) {
  const schema = z
    .string()
    .transform((text) => text.split(",").map((one) => one.trim()))
    .pipe(z.array(item));
  return { ...flag, repeatable: true, schema } as const;
}

/** Declares a flag whose value is one of a few words. */
export function choice<
  const Words extends readonly [string, ...string[]],
  const F extends Described & { readonly default: Words[number] },
>(choices: Words, flag: F) {
  return {
    ...flag,
    placeholder: choices.join("|"),
    schema: z.enum(choices, { error: `one of ${choices.join(", ")}` }),
  };
}

/** Declares a flag whose value is a whole number within a range. */
export function whole<const F extends Described & { readonly placeholder: string }>(
  { min, max }: { min: number; max: number },
  flag: F,
) {
  return {
    ...flag,
    schema: boundedNumber(/^\d{1,15}$/, { min, max, error: `a whole number from ${min} to ${max}` }),
  };
}

/** Declares a flag whose value is a time in seconds, fractions allowed; the setting is in milliseconds. */
export function seconds<const F extends Described>({ min, max }: { min: number; max: number }, flag: F) {
  const error = `a number of seconds from ${min} to ${max}`;
  return {
    ...flag,
    placeholder: "SECONDS",
    schema: boundedNumber(/^\d{1,9}(\.\d{1,9})?$/, { min, max, error }).transform((value) => value * 1000),
  };
}

// The pattern keeps out what Number() would also take: an empty text, hexadecimal, exponents.
function boundedNumber(pattern: RegExp, { min, max, error }: { min: number; max: number; error: string }) {
  return z
    .string()
    .regex(pattern, { error })
    .transform(Number)
    .refine((value) => value >= min && value <= max, { error });
}
