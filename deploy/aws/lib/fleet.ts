import { App, Tags, Validations, CfnOutput } from "aws-cdk-lib";
import { AwsSolutionsChecks } from "cdk-nag";
import { CertificateStack } from "./certificate_stack.ts";
import { ClientStack } from "./client_stack.ts";
import { DataStack } from "./data_stack.ts";
import { DnsStack } from "./dns_stack.ts";
import { NetworkStack } from "./network_stack.ts";
import { ServersStack } from "./servers_stack.ts";
import type { Settings } from "./settings.ts";
import { StatsStack } from "./stats_stack.ts";

/** Options of {@linkcode createFleet}. */
export interface FleetOptions {
  readonly settings: Settings;
  /** Whether the data goes when its stack goes. @default {false} */
  readonly discardData?: boolean;
}

const CLOUDFRONT_REGION = "us-east-1";

/** Creates all stacks of a system, and has them checked against the AWS Solutions rules when they are synthesised. */
export function createFleet(app: App, { settings, discardData = false }: FleetOptions): void {
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app, { verbose: true }));
  const { name, region, domain } = settings;
  const account = settings.account ?? process.env["CDK_DEFAULT_ACCOUNT"];
  const env = { region, ...(account ? { account } : {}) };
  Tags.of(app).add("system", name);

  const network = new NetworkStack(app, `${name}Network`, { env, settings });
  const data = new DataStack(app, `${name}Data`, { env, settings, network, discard: discardData });
  const servers = new ServersStack(app, `${name}Servers`, { env, settings, network, data });
  const certificate = domain
    ? new CertificateStack(app, `${name}Certificate`, {
        env: { ...env, region: CLOUDFRONT_REGION },
        crossRegionReferences: true,
        domain,
      }).certificate
    : undefined;
  const stats = new StatsStack(app, `${name}Stats`, {
    env,
    crossRegionReferences: domain !== undefined,
    settings,
    network,
    data,
    certificate,
  });
  const client = new ClientStack(app, `${name}Client`, {
    env,
    settings,
    network,
    serverHost: domain ? `${domain.servers}.${domain.name}` : servers.host,
  });
  if (domain) {
    const dns = new DnsStack(app, `${name}Dns`, {
      env,
      settings,
      domain,
      serverHost: servers.host,
      distribution: stats.distribution,
    });
    client.addStackDependency(dns);
  }
  new CfnOutput(servers, "Address", { value: servers.host });
  new CfnOutput(servers, "BeanstalkEnvironment", { value: servers.environmentName });
}
