import { RemovalPolicy, Stack, type StackProps } from "aws-cdk-lib";
import * as ec2 from "aws-cdk-lib/aws-ec2";
import * as logs from "aws-cdk-lib/aws-logs";
import type { Construct } from "constructs";
import { acknowledge } from "./acknowledge.ts";
import { SERVER_PORT, type Settings } from "./settings.ts";

const HTTPS = 443;
const MYSQL_PORT = 3306;
const REDIS_PORT = 6379;

/** Services of AWS that servers and the stats API need, and reach without the internet. */
const ENDPOINTS = {
  Beanstalk: new ec2.InterfaceVpcEndpointAwsService("elasticbeanstalk"),
  BeanstalkHealth: new ec2.InterfaceVpcEndpointAwsService("elasticbeanstalk-health"),
  CloudFormation: ec2.InterfaceVpcEndpointAwsService.CLOUDFORMATION,
  Ecr: ec2.InterfaceVpcEndpointAwsService.ECR,
  EcrDocker: ec2.InterfaceVpcEndpointAwsService.ECR_DOCKER,
  Logs: ec2.InterfaceVpcEndpointAwsService.CLOUDWATCH_LOGS,
  Secrets: ec2.InterfaceVpcEndpointAwsService.SECRETS_MANAGER,
};

/** Options of {@linkcode NetworkStack}. */
export interface NetworkProps extends StackProps {
  readonly settings: Settings;
}

/** Who may talk to whom, as a group for each. */
export interface SecurityGroups {
  readonly client: ec2.SecurityGroup;
  readonly loadBalancer: ec2.SecurityGroup;
  readonly servers: ec2.SecurityGroup;
  readonly stats: ec2.SecurityGroup;
  readonly mysql: ec2.SecurityGroup;
  readonly redis: ec2.SecurityGroup;
}

/**
 * The network: public subnets for the load balancer and the client, which alone needs the internet, and isolated
 * ones for all else. There is no NAT: what is isolated reaches AWS's services through endpoints.
 */
export class NetworkStack extends Stack {
  readonly vpc: ec2.Vpc;
  readonly groups: SecurityGroups;

  constructor(scope: Construct, id: string, { settings, ...props }: NetworkProps) {
    super(scope, id, props);
    this.vpc = new ec2.Vpc(this, "Vpc", {
      ipAddresses: ec2.IpAddresses.cidr(settings.network.cidr),
      availabilityZones: settings.zones.map((zone) => `${settings.region}${zone}`),
      natGateways: 0,
      subnetConfiguration: [
        { name: "Public", subnetType: ec2.SubnetType.PUBLIC, cidrMask: 24, mapPublicIpOnLaunch: false },
        { name: "Isolated", subnetType: ec2.SubnetType.PRIVATE_ISOLATED, cidrMask: 24 },
      ],
      flowLogs: {
        Rejected: {
          destination: ec2.FlowLogDestination.toCloudWatchLogs(
            new logs.LogGroup(this, "FlowLogs", {
              retention: logs.RetentionDays.ONE_MONTH,
              removalPolicy: RemovalPolicy.DESTROY,
            }),
          ),
          trafficType: ec2.FlowLogTrafficType.REJECT,
        },
      },
    });
    this.groups = this.#connect(settings);
    this.#addEndpoints(settings);
  }

  #connect({ servers: { openTo }, client: { rpcUrls } }: Settings): SecurityGroups {
    const group = (name: string, description: string) =>
      new ec2.SecurityGroup(this, name, { vpc: this.vpc, description, allowAllOutbound: false });
    const groups = {
      client: group("ClientGroup", "Clients: nobody comes in"),
      loadBalancer: group("LoadBalancerGroup", "The load balancer of the servers"),
      servers: group("ServersGroup", "Servers"),
      stats: group("StatsGroup", "The stats API"),
      mysql: group("MysqlGroup", "MySQL"),
      redis: group("RedisGroup", "Redis"),
    };
    const allow = (
      from: ec2.SecurityGroup,
      { to, port, what }: { readonly to: ec2.SecurityGroup; readonly port: number; readonly what: string },
    ) => {
      from.addEgressRule(to, ec2.Port.tcp(port), what);
      to.addIngressRule(from, ec2.Port.tcp(port), what);
    };
    const { client, loadBalancer, servers, stats, mysql, redis } = groups;
    allow(loadBalancer, { to: servers, port: SERVER_PORT, what: "pages" });
    for (const reader of [servers, stats]) {
      allow(reader, { to: mysql, port: MYSQL_PORT, what: "MySQL" });
      allow(reader, { to: redis, port: REDIS_PORT, what: "Redis" });
    }
    if (openTo === "internet") {
      loadBalancer.addIngressRule(ec2.Peer.anyIpv4(), ec2.Port.tcp(SERVER_PORT), "pages of everybody");
      acknowledge(loadBalancer, {
        EC23: "The operator has opened the servers to clients everywhere, on their one port; the servers limit what each of them may do",
      });
      client.addEgressRule(ec2.Peer.anyIpv4(), ec2.Port.tcp(SERVER_PORT), "pages, to older servers too");
    } else {
      allow(client, { to: loadBalancer, port: SERVER_PORT, what: "pages" });
    }
    for (const port of new Set([HTTPS, ...rpcUrls.map(portOf)]))
      client.addEgressRule(ec2.Peer.anyIpv4(), ec2.Port.tcp(port), "Ethereum nodes and images");
    return groups;
  }

  #addEndpoints({ network: { endpointsInEachZone } }: Settings): void {
    const zones = this.vpc.availabilityZones.slice(0, endpointsInEachZone ? undefined : 1);
    const endpoints = new ec2.SecurityGroup(this, "EndpointsGroup", {
      vpc: this.vpc,
      description: "Endpoints of AWS services",
      allowAllOutbound: false,
    });
    for (const user of [this.groups.servers, this.groups.stats]) {
      endpoints.addIngressRule(user, ec2.Port.tcp(HTTPS), "AWS services");
      user.addEgressRule(endpoints, ec2.Port.tcp(HTTPS), "AWS services");
    }
    // The gateway to S3 has no group, and the isolated subnets have no way to anything else outside.
    this.groups.servers.addEgressRule(ec2.Peer.anyIpv4(), ec2.Port.tcp(HTTPS), "S3 through its gateway");
    this.vpc.addGatewayEndpoint("S3", { service: ec2.GatewayVpcEndpointAwsService.S3 });
    for (const [name, service] of Object.entries(ENDPOINTS)) {
      this.vpc.addInterfaceEndpoint(name, {
        service,
        subnets: { subnetType: ec2.SubnetType.PRIVATE_ISOLATED, availabilityZones: zones },
        securityGroups: [endpoints],
        open: false,
      });
    }
  }
}

function portOf(url: string): number {
  const { port, protocol } = new URL(url);
  return port ? Number(port) : /^(https|wss):$/.test(protocol) ? HTTPS : 80;
}
