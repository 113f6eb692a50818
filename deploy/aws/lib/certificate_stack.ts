import { Stack, type StackProps } from "aws-cdk-lib";
import * as acm from "aws-cdk-lib/aws-certificatemanager";
import { HostedZone } from "aws-cdk-lib/aws-route53";
import type { Construct } from "constructs";
import type { Settings } from "./settings.ts";

/** Options of {@linkcode CertificateStack}. */
export interface CertificateProps extends StackProps {
  readonly domain: NonNullable<Settings["domain"]>;
}

/** The certificate of the stats API's name, in us-east-1, where CloudFront looks for it. */
export class CertificateStack extends Stack {
  readonly certificate: acm.Certificate;

  constructor(scope: Construct, id: string, { domain, ...props }: CertificateProps) {
    super(scope, id, props);
    this.certificate = new acm.Certificate(this, "Certificate", {
      domainName: `${domain.stats}.${domain.name}`,
      validation: acm.CertificateValidation.fromDns(
        HostedZone.fromHostedZoneAttributes(this, "Zone", {
          hostedZoneId: domain.hostedZoneId,
          zoneName: domain.name,
        }),
      ),
    });
  }
}
