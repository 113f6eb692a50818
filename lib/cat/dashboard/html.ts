/** Markup whose every part is escaped or was written here. */
export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  toString(): string {
    return this.text;
  }
}

/** What may stand in a template; a list is put together without anything in between. */
export type HtmlPart = Html | string | number | bigint | readonly Html[];

const ESCAPES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/**
 * Writes markup; whatever stands in it that is no markup itself is escaped, for texts and for quoted attributes.
 *
 * @example html`<td title="${name}">${name}</td>`
 */
export function html(strings: TemplateStringsArray, ...parts: readonly HtmlPart[]): Html {
  const rendered = parts.map((part) =>
    part instanceof Html ? part.text : Array.isArray(part) ? part.join("") : escape(String(part)),
  );
  return new Html(String.raw({ raw: strings }, ...rendered));
}

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ESCAPES[character] ?? "");
}
