import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { CfnResource, Stack } from "aws-cdk-lib";
import { CfnBucket } from "aws-cdk-lib/aws-s3";
import { Secret } from "aws-cdk-lib/aws-secretsmanager";
import { createFleet } from "../lib/fleet.ts";
import { parseSettings } from "../lib/settings.ts";
import { combinations } from "./combinations.ts";
import { check, createApp, synthesize } from "./synth.ts";

setDefaultTimeout(300_000);

const settings = parseSettings({ region: "us-east-1" });

describe("createFleet()", () => {
  test("makes valid templates that follow the AWS Solutions rules, of every combination of settings", () => {
    let count = 0;
    for (const { settings: input, discardData } of combinations()) {
      expect(synthesize(input, { discardData }).size).toBe(input.domain ? 7 : 5);
      count++;
    }
    console.log(`${count} combinations of settings are valid`);
    expect(count).toBe(240);
  });

  // What shows that the checks above are made at all.
  const flaws: readonly (readonly [string, (stack: Stack) => void])[] = [
    ["a rule of AWS Solutions", (stack) => new CfnBucket(stack, "Open")],
    [
      "the schema of a resource",
      (stack) => new CfnResource(stack, "Coloured", { type: "AWS::SNS::Topic", properties: { Colour: 1 } }),
    ],
    ["a rule that is waived for other resources alone", (stack) => new Secret(stack, "NeverRotated")],
  ];
  test.each(flaws)("is refused when a resource does not follow %s", (_, addFlaw) => {
    const app = createApp();
    createFleet(app, { settings });
    addFlaw(new Stack(app, "Flawed", { env: { region: settings.region } }));
    expect(() => void check(app)).toThrow(/^Validation failed|\(AwsSolutions\)/);
  });
});
