import { readFileSync, rmSync } from "node:fs";
import { RegoEngine, TemplateFile } from "@aws/cloudformation-validate";
import { App } from "aws-cdk-lib";
import { Template } from "aws-cdk-lib/assertions";
import cdk from "../cdk.json";
import { createFleet } from "../lib/fleet.ts";
import { parseSettings, type SettingsInput } from "../lib/settings.ts";

/** Templates by the last part of their stacks' names. */
export type Templates = Readonly<Record<string, Template>>;

/** Options of {@linkcode synthesize}. */
export interface SynthesizeOptions {
  readonly discardData?: boolean;
}

/** Creates an app with the context of `cdk synth`, but for what only takes time here, such as copies of assets. */
export function createApp(): App {
  return new App({
    context: { ...cdk.context, "aws:cdk:disable-asset-staging": true },
    analyticsReporting: false,
    stackTraces: false,
    treeMetadata: false,
  });
}

const engine = new RegoEngine();
/** Templates that were found to be valid; most combinations of settings have most of them in common. */
const valid = new Set<string>();

/**
 * Synthesises all stacks, as `cdk synth` does, and checks them; resolves to their templates as CloudFormation gets them.
 *
 * @throws {Error} when a template is not valid, or does not follow the AWS Solutions rules
 */
export function synthesize(
  input: SettingsInput,
  { discardData = false }: SynthesizeOptions = {},
): ReadonlyMap<string, object> {
  const settings = parseSettings(input);
  const app = createApp();
  createFleet(app, { settings, discardData });
  return new Map([...check(app)].map(([name, template]) => [name.slice(settings.name.length), template]));
}

/** Synthesises all stacks and gives their templates, to ask them what they hold. */
export function readTemplates(input: SettingsInput, options: SynthesizeOptions = {}): Templates {
  const templates = [...synthesize(input, options)];
  return Object.fromEntries(templates.map(([name, template]) => [name, Template.fromJSON(template)]));
}

/**
 * Synthesises an app and checks its templates; gives them by the names of their stacks.
 *
 * The schemas and rules of CloudFormation are asked here and not by CDK, where a construct of CDK's own that waives a
 * rule waives it for all others.
 *
 * @throws {Error} when a template is not valid, or does not follow the AWS Solutions rules
 */
export function check(app: App): ReadonlyMap<string, object> {
  process.env["CDK_VALIDATION"] = "false";
  const { stacks, directory } = app.synth();
  const templates = stacks.map(({ stackName, templateFullPath }) => {
    const text = readFileSync(templateFullPath, "utf8");
    if (!valid.has(text)) {
      const { diagnostics } = engine.validateStandard(new TemplateFile(templateFullPath));
      const errors = diagnostics.filter(({ severity }) => severity === "ERROR" || severity === "FATAL");
      const messages = errors.map(({ ruleId, message }) => `${ruleId} ${message}`);
      if (messages.length > 0) throw new Error(`Validation failed: ${messages.join("; ")}`);
      valid.add(text);
    }
    return [stackName, JSON.parse(text) as object] as const;
  });
  rmSync(directory, { recursive: true });
  return new Map(templates);
}
