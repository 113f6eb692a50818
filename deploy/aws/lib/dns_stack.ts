import { Duration, Stack, type StackProps } from "aws-cdk-lib";
import type { Distribution } from "aws-cdk-lib/aws-cloudfront";
import * as route53 from "aws-cdk-lib/aws-route53";
import { CloudFrontTarget } from "aws-cdk-lib/aws-route53-targets";
import type { Construct } from "constructs";
import { SERVER_PORT, type Settings } from "./settings.ts";

/** Options of {@linkcode DnsStack}. */
export interface DnsProps extends StackProps {
  readonly settings: Settings;
  readonly domain: NonNullable<Settings["domain"]>;
  readonly serverHost: string;
  readonly distribution: Distribution;
}

interface Environment {
  readonly name: string;
  readonly host: string;
  readonly weight: number;
}

const TTL = Duration.seconds(30);

/**
 * Names: the one of the stats API, and the one under which clients find servers, which Route 53 spreads by weight over
 * this environment and those of the older implementations. One that does not accept connections gets no clients.
 */
export class DnsStack extends Stack {
  constructor(
    scope: Construct,
    id: string,
    { settings, domain, serverHost, distribution, ...props }: DnsProps,
  ) {
    super(scope, id, props);
    const zone = route53.HostedZone.fromHostedZoneAttributes(this, "Zone", {
      hostedZoneId: domain.hostedZoneId,
      zoneName: domain.name,
    });
    const target = route53.RecordTarget.fromAlias({
      bind: () => ({
        dnsName: distribution.distributionDomainName,
        hostedZoneId: CloudFrontTarget.getHostedZoneId(this),
      }),
    });
    new route53.ARecord(this, "Stats", { zone, recordName: domain.stats, target });
    new route53.AaaaRecord(this, "StatsIpv6", { zone, recordName: domain.stats, target });

    const own = { name: "own", host: serverHost, weight: domain.weight };
    // Route 53 looks from the internet, where a load balancer for this network alone cannot be seen.
    const isSeen = settings.servers.openTo === "internet";
    for (const environment of [own, ...domain.peers]) {
      new route53.CnameRecord(this, `Servers-${environment.name}`, {
        zone,
        recordName: domain.servers,
        domainName: environment.host,
        ttl: TTL,
        weight: environment.weight,
        setIdentifier: environment.name,
        ...(isSeen ? { healthCheck: this.#createCheck(environment) } : {}),
      });
    }
  }

  /** It opens a connection and closes it without a byte, which is no error to any of the implementations. */
  #createCheck({ name, host }: Environment): route53.IHealthCheck {
    return new route53.HealthCheck(this, `Check-${name}`, {
      type: route53.HealthCheckType.TCP,
      fqdn: host,
      port: SERVER_PORT,
      requestInterval: Duration.seconds(30),
      failureThreshold: 3,
    });
  }
}
