#!/usr/bin/env bun
import { App } from "aws-cdk-lib";
import { build } from "./lib/build.ts";
import { createFleet } from "./lib/fleet.ts";
import { parseSettings } from "./lib/settings.ts";
import { settings as input } from "./settings.ts";

const settings = parseSettings(input);
await build(settings);
const app = new App();
createFleet(app, { settings, discardData: app.node.tryGetContext("discardData") === "true" });
app.synth();
