import { beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { BlockList } from "node:net";
import { join } from "node:path";
import { Match, type Template } from "aws-cdk-lib/assertions";
import { clientFlags } from "../../../lib/settings/client.ts";
import { serverFlags } from "../../../lib/settings/server.ts";
import { statsFlags } from "../../../lib/settings/stats.ts";
import { variablesOf } from "../../../tests/support/variables.ts";
import { BEANSTALK_FOLDER, build, mysqlCertificates, ROOT } from "../lib/build.ts";
import { SERVER_PORT } from "../lib/settings.ts";
import { readTemplates, type Templates } from "./synth.ts";

setDefaultTimeout(60_000);

interface Rule {
  readonly CidrIp?: string;
  readonly FromPort: number;
}

interface Statement {
  readonly Action: string | readonly string[];
  readonly Resource: unknown;
}

/** Of all that resources have, what is looked at here. */
interface Resource {
  readonly Properties: {
    readonly AlarmActions?: readonly unknown[];
    readonly CidrBlock?: string;
    readonly ContainerDefinitions?: readonly { readonly Environment: readonly { readonly Name: string }[] }[];
    readonly Environment?: { readonly Variables: Readonly<Record<string, unknown>> };
    readonly CidrIp?: string;
    readonly FromPort?: number;
    readonly GroupId?: unknown;
    readonly HealthCheckConfig?: { readonly Port: number };
    readonly HealthCheckId?: unknown;
    readonly MetricName?: string;
    readonly Name?: string;
    readonly OptionSettings?: readonly {
      readonly Namespace: string;
      readonly OptionName: string;
      readonly Value: unknown;
    }[];
    readonly PolicyDocument?: { readonly Statement: readonly Statement[] };
    readonly RouteTableId?: unknown;
    readonly SecurityGroupEgress?: readonly Rule[];
    readonly SecurityGroupIngress?: readonly Rule[];
    readonly SetIdentifier?: string;
    readonly SourceSecurityGroupId?: unknown;
    readonly SubnetIds?: unknown;
    readonly Threshold?: number;
    readonly ToPort?: number;
    readonly TreatMissingData?: string;
    readonly Type?: string;
    readonly Weight?: number;
  };
}

const DOMAIN = {
  name: "example.org",
  hostedZoneId: "Z0123456789ABCDEFGHIJ",
  weight: 10,
  peers: [{ name: "go", host: "go.example.net", weight: 90 }],
};

let closed: Templates;
let open: Templates;

beforeAll(async () => {
  await build({ region: "us-east-1" });
  closed = readTemplates({ region: "us-east-1" });
  open = readTemplates({ region: "us-east-1", servers: { openTo: "internet" }, domain: DOMAIN });
});

function only(templates: Templates, name: string): Template {
  const template = templates[name];
  if (!template) throw new Error(`There is no stack ${name}`);
  return template;
}

function resources(template: Template, type: string): readonly Resource[] {
  return Object.values(template.findResources(type)) as Resource[];
}

function all(templates: Templates, type: string): readonly Resource[] {
  return Object.values(templates).flatMap((template) => resources(template, type));
}

/** Options of the Beanstalk environment, by namespace and name. */
function options(templates: Templates): ReadonlyMap<string, unknown> {
  const [environment] = resources(only(templates, "Servers"), "AWS::ElasticBeanstalk::Environment");
  const settings = environment?.Properties.OptionSettings ?? [];
  return new Map(settings.map(({ Namespace, OptionName, Value }) => [`${Namespace} ${OptionName}`, Value]));
}

describe("the data", () => {
  test("of MySQL is encrypted, over TLS alone, backed up and kept", () => {
    const data = only(closed, "Data");
    data.hasResource("AWS::RDS::DBInstance", {
      DeletionPolicy: "Retain",
      Properties: {
        StorageEncrypted: true,
        PubliclyAccessible: false,
        BackupRetentionPeriod: 7,
        DeletionProtection: true,
        EngineVersion: Match.stringLikeRegexp("^8\\.4\\."),
      },
    });
    data.hasResourceProperties("AWS::RDS::DBParameterGroup", {
      Parameters: { require_secure_transport: "1" },
    });
  });

  test("of Redis is encrypted, over TLS alone, behind a password, backed up and kept", () => {
    only(closed, "Data").hasResource("AWS::ElastiCache::ReplicationGroup", {
      DeletionPolicy: "Retain",
      Properties: {
        AtRestEncryptionEnabled: true,
        TransitEncryptionEnabled: true,
        TransitEncryptionMode: "required",
        SnapshotRetentionLimit: 7,
        AuthToken: Match.objectLike({ "Fn::Join": Match.anyValue() }),
      },
    });
  });

  test("goes with its stack when told so", () => {
    const data = only(readTemplates({ region: "us-east-1" }, { discardData: true }), "Data");
    data.hasResource("AWS::RDS::DBInstance", {
      DeletionPolicy: "Delete",
      Properties: { DeletionProtection: false },
    });
    data.hasResource("AWS::ElastiCache::ReplicationGroup", { DeletionPolicy: "Delete" });
  });

  test("stands in subnets without a way in or out", () => {
    const network = only(closed, "Network");
    const isolated = Object.keys(network.findResources("AWS::EC2::Subnet")).filter((id) =>
      id.includes("Isolated"),
    );
    expect(isolated.length).toBe(2);
    network.resourceCountIs("AWS::EC2::NatGateway", 0);
    for (const { Properties } of resources(network, "AWS::EC2::Route"))
      expect(JSON.stringify(Properties.RouteTableId)).not.toContain("Isolated");
    const used = [
      ...resources(only(closed, "Data"), "AWS::RDS::DBSubnetGroup"),
      ...resources(only(closed, "Data"), "AWS::ElastiCache::SubnetGroup"),
    ].map(({ Properties }) => JSON.stringify(Properties.SubnetIds));
    expect(used.length).toBe(2);
    for (const subnets of used) {
      expect(subnets).toContain("Isolated");
      expect(subnets).not.toContain("Public");
    }
  });

  test("is known by certificates of its region alone, which are valid", () => {
    const certificates = mysqlCertificates("eu-central-1");
    expect(certificates.match(/BEGIN CERTIFICATE/g)?.length).toBe(3);
    expect(() => mysqlCertificates("xx-nowhere-1")).toThrow("expected a region that RDS serves");
  });
});

describe("security groups", () => {
  const ANYWHERE = ["0.0.0.0/0", "::/0"];

  function inbound(templates: Templates): readonly string[] {
    const network = only(templates, "Network");
    const nameOf = (value: unknown) => /"(\w+?)Group[0-9A-F]{8}"/.exec(JSON.stringify(value))?.[1] ?? "?";
    const rules = resources(network, "AWS::EC2::SecurityGroupIngress").map(
      ({ Properties: { GroupId, SourceSecurityGroupId, CidrIp, FromPort, ToPort } }) => {
        expect(FromPort).toBe(ToPort);
        return `${CidrIp ?? nameOf(SourceSecurityGroupId)} > ${nameOf(GroupId)}:${FromPort}`;
      },
    );
    const inline = Object.entries(network.findResources("AWS::EC2::SecurityGroup")).flatMap(([id, group]) =>
      ((group as Resource).Properties.SecurityGroupIngress ?? []).map(
        ({ CidrIp, FromPort }) => `${CidrIp} > ${id.replace(/Group[0-9A-F]{8}$/, "")}:${FromPort}`,
      ),
    );
    return [...rules, ...inline].toSorted();
  }

  test("let in whom each needs, and nobody else", () => {
    expect(inbound(closed)).toEqual([
      "Client > LoadBalancer:8888",
      "LoadBalancer > Servers:8888",
      "Servers > Endpoints:443",
      "Servers > Mysql:3306",
      "Servers > Redis:6379",
      "Stats > Endpoints:443",
      "Stats > Mysql:3306",
      "Stats > Redis:6379",
    ]);
  });

  test("let everybody in at the load balancer's one port when told so, and nowhere else", () => {
    expect(inbound(open).filter((rule) => ANYWHERE.some((range) => rule.startsWith(range)))).toEqual([
      "0.0.0.0/0 > LoadBalancer:8888",
    ]);
  });

  test("let nobody in to the client, and the client out to nodes and servers alone", () => {
    const groups = Object.entries(only(closed, "Network").findResources("AWS::EC2::SecurityGroup"));
    const [client] = groups
      .filter(([id]) => id.startsWith("ClientGroup"))
      .map(([, group]) => group as Resource);
    expect(client?.Properties.SecurityGroupIngress).toBeUndefined();
    expect(client?.Properties.SecurityGroupEgress?.map(({ FromPort }) => FromPort)).toEqual([443]);
  });
});

describe("rights", () => {
  function statements(templates: Templates): readonly Statement[] {
    return all(templates, "AWS::IAM::Policy").flatMap(
      ({ Properties }) => Properties.PolicyDocument?.Statement ?? [],
    );
  }

  test("name their actions, and where they name no resource it is as AWS does not take one", () => {
    const found = statements(open);
    expect(found.length).toBeGreaterThan(10);
    const unbound = found.filter(({ Resource }) => Resource === "*").flatMap(({ Action }) => Action);
    const allowed =
      /^(ecr:GetAuthorizationToken|ec2:\w+(NetworkInterfaces?|Subnets|PrivateIpAddresses)|logs:\w+)$/;
    expect(unbound.filter((action) => !allowed.test(action))).toEqual([]);
    const actions = found.flatMap(({ Action }) => Action);
    expect(actions.filter((action) => /\*/.test(action))).toEqual([]);
  });

  test("open each secret to those alone who need it", () => {
    const readers = Object.entries(open).flatMap(([stack, template]) =>
      Object.entries(template.findResources("AWS::IAM::Policy")).flatMap(([id, policy]) =>
        ((policy as Resource).Properties.PolicyDocument?.Statement ?? [])
          .filter(({ Action }) => [Action].flat().includes("secretsmanager:GetSecretValue"))
          .map(({ Resource }) => {
            const secrets =
              JSON.stringify(Resource).match(/(MysqlPassword|RedisPassword|Auth)[0-9A-F]{8}/g) ?? [];
            const names = new Set(secrets.map((secret) => secret.slice(0, -8)));
            return `${stack} ${id.replace(/(Role)?DefaultPolicy.*/, "")}: ${[...names].join(" ")}`;
          }),
      ),
    );
    expect([...new Set(readers.map((reader) => reader.split(":")[0]))].toSorted()).toEqual([
      "Servers Instance",
      "Stats Stats",
      "Stats Watch",
    ]);
    expect(readers.some((reader) => reader.startsWith("Servers") && reader.includes("Auth"))).toBe(false);
  });

  test("no template holds a secret, and no variable of a program does", () => {
    for (const template of Object.values(open)) {
      const text = JSON.stringify(template.toJSON());
      expect(text).not.toMatch(/"(MYSQL_PASS|REDIS_PASS|STATS_AUTH)":/);
      expect(text).not.toMatch(/BEGIN \w* ?PRIVATE KEY|AKIA[0-9A-Z]{16}/);
    }
    const found = options(open);
    expect(found.has("aws:elasticbeanstalk:application:environment MYSQL_PASS")).toBe(false);
    expect(found.has("aws:elasticbeanstalk:application:environmentsecrets MYSQL_PASS")).toBe(true);
    expect(found.has("aws:elasticbeanstalk:application:environmentsecrets REDIS_PASS")).toBe(true);
  });
});

describe("servers", () => {
  test("are told who clients are by the PROXY protocol, which both ends speak", () => {
    const { Resources } = Bun.YAML.parse(
      readFileSync(join(BEANSTALK_FOLDER, ".ebextensions", "load_balancer.config"), "utf8"),
    ) as {
      Resources: Record<string, { Properties: { TargetGroupAttributes: { Key: string; Value: string }[] } }>;
    };
    const attributes = Resources["AWSEBV2LoadBalancerTargetGroup"]?.Properties.TargetGroupAttributes ?? [];
    expect(Object.fromEntries(attributes.map(({ Key, Value }) => [Key, Value]))).toMatchObject({
      "proxy_protocol_v2.enabled": "true",
      "preserve_client_ip.enabled": "false",
    });
    const environment = "aws:elasticbeanstalk:application:environment";
    expect(options(closed).get(`${environment} ETH_SERVER_PROXY_PROTOCOL`)).toBe("true");
    const trusted = new BlockList();
    const [network = "", bits] = String(options(closed).get(`${environment} ETH_SERVER_PROXY_TRUST`)).split(
      "/",
    );
    trusted.addSubnet(network, Number(bits));
    const subnets = resources(only(closed, "Network"), "AWS::EC2::Subnet").map(
      ({ Properties }) => Properties.CidrBlock ?? "",
    );
    expect(subnets.length).toBe(4);
    for (const subnet of subnets) expect(trusted.check(subnet.split("/")[0] ?? "")).toBe(true);
  });

  test("have one port, everywhere", () => {
    const dockerfile = readFileSync(join(ROOT, "Dockerfile"), "utf8");
    const compose = readFileSync(join(ROOT, "docker-compose.yml"), "utf8");
    const beanstalk = Bun.YAML.parse(readFileSync(join(BEANSTALK_FOLDER, "docker-compose.yml"), "utf8")) as {
      services: { server: { ports: string[] } };
    };
    const found = options(open);
    const process = "aws:elasticbeanstalk:environment:process:default";
    const container = JSON.stringify(only(open, "Client").toJSON());
    const checks = resources(only(open, "Dns"), "AWS::Route53::HealthCheck");
    expect(checks.length).toBe(2);
    const ports = {
      exposed: /^EXPOSE (8\d+)$/m.exec(dockerfile)?.[1],
      image: /ETH_SERVER_PORT=(\d+)/.exec(dockerfile)?.[1],
      compose: new Set(compose.match(/(?<=server-\d:)\d+/g)),
      beanstalk: beanstalk.services.server.ports,
      listener: found.get(`aws:elbv2:listener:${SERVER_PORT} ListenerEnabled`),
      process: found.get(`${process} Port`),
      server: found.get("aws:elasticbeanstalk:application:environment ETH_SERVER_PORT"),
      client: /"Name":"ETH_CLIENT_PORT","Value":"(\d+)"/.exec(container)?.[1],
      checks: new Set(checks.map(({ Properties }) => Properties.HealthCheckConfig?.Port)),
    };
    expect(ports).toEqual({
      exposed: `${SERVER_PORT}`,
      image: `${SERVER_PORT}`,
      compose: new Set([`${SERVER_PORT}`]),
      beanstalk: [`${SERVER_PORT}:${SERVER_PORT}`],
      listener: "true",
      process: `${SERVER_PORT}`,
      server: `${SERVER_PORT}`,
      client: `${SERVER_PORT}`,
      checks: new Set([SERVER_PORT]),
    });
  });

  test("are replaced one by one behind a network load balancer, and keep logs and health", () => {
    const found = options(closed);
    expect(Object.fromEntries(found)).toMatchObject({
      "aws:elasticbeanstalk:environment LoadBalancerType": "network",
      "aws:elasticbeanstalk:environment:proxy ProxyServer": "none",
      "aws:elasticbeanstalk:command DeploymentPolicy": "RollingWithAdditionalBatch",
      "aws:autoscaling:updatepolicy:rollingupdate RollingUpdateEnabled": "true",
      "aws:elasticbeanstalk:healthreporting:system SystemType": "enhanced",
      "aws:elasticbeanstalk:cloudwatch:logs StreamLogs": "true",
      "aws:ec2:vpc AssociatePublicIpAddress": "false",
      "aws:ec2:vpc ELBScheme": "internal",
      "aws:elbv2:listener:default ListenerEnabled": "false",
      "aws:autoscaling:launchconfiguration DisableIMDSv1": "true",
      "aws:autoscaling:launchconfiguration DisableDefaultEC2SecurityGroup": "true",
    });
    expect(options(open).get("aws:ec2:vpc ELBScheme")).toBe("public");
  });

  test("take TLS to both databases", () => {
    const environment = "aws:elasticbeanstalk:application:environment";
    expect(Object.fromEntries(options(closed))).toMatchObject({
      [`${environment} ETH_MYSQL_TLS`]: "true",
      [`${environment} ETH_REDIS_TLS`]: "true",
      [`${environment} MYSQL_CA`]: "/etc/eth/rds.pem",
    });
    expect(readFileSync(join(BEANSTALK_FOLDER, "rds.pem"), "utf8")).toStartWith(
      "-----BEGIN CERTIFICATE-----",
    );
  });
});

describe("variables", () => {
  const BESIDE = ["SERVER_IMAGE", "SYSTEM"];
  const EXTENSION = /^(PARAMETERS_SECRETS_EXTENSION|SECRETS_MANAGER|SSM_PARAMETER_STORE)_/;
  const namespace = "aws:elasticbeanstalk:application:environment";

  test.each([
    [
      "server",
      serverFlags,
      () =>
        [...options(closed).keys()]
          .filter((key) => key.startsWith(`${namespace} `) || key.startsWith(`${namespace}secrets `))
          .map((key) => key.split(" ")[1] ?? ""),
    ],
    [
      "client",
      clientFlags,
      () =>
        resources(only(closed, "Client"), "AWS::ECS::TaskDefinition").flatMap(
          ({ Properties }) => Properties.ContainerDefinitions?.[0]?.Environment.map(({ Name }) => Name) ?? [],
        ),
    ],
    [
      "stats",
      statsFlags,
      () =>
        resources(only(closed, "Stats"), "AWS::Lambda::Function").flatMap(({ Properties }) =>
          Object.keys(Properties.Environment?.Variables ?? {})
            .map((name) => name.replace(/_SECRET$/, ""))
            .filter((name) => !EXTENSION.test(name)),
        ),
    ],
  ] as const)("of %s are ones that it reads", (entry, flags, read) => {
    const names = read();
    expect(names.length).toBeGreaterThan(2);
    const known = variablesOf(entry, flags);
    expect(names.filter((name) => !known.has(name) && !BESIDE.includes(name))).toEqual([]);
  });
});

describe("the client", () => {
  test("runs without rights on a file system that cannot be written, and sends to this system's servers", () => {
    const client = only(closed, "Client");
    client.hasResourceProperties("AWS::ECS::TaskDefinition", {
      ContainerDefinitions: [
        Match.objectLike({ ReadonlyRootFilesystem: true, HealthCheck: Match.anyValue() }),
      ],
    });
    client.hasResourceProperties("AWS::ECS::Service", {
      LaunchType: "FARGATE",
      DeploymentConfiguration: Match.objectLike({
        DeploymentCircuitBreaker: { Enable: true, Rollback: true },
      }),
    });
    expect(client.findResources("AWS::ElasticLoadBalancingV2::LoadBalancer")).toEqual({});
  });
});

describe("the stats API", () => {
  test("runs on Node.js, behind an HTTP API, behind CloudFront with a certificate of its name", () => {
    const stats = only(open, "Stats");
    stats.hasResourceProperties("AWS::Lambda::Function", {
      Runtime: Match.stringLikeRegexp("^nodejs"),
      Handler: "stats.handler",
      VpcConfig: Match.anyValue(),
      Environment: { Variables: Match.objectLike({ STATS_AUTH_SECRET: Match.anyValue() }) },
    });
    stats.hasResourceProperties("AWS::ApiGatewayV2::Api", { ProtocolType: "HTTP" });
    stats.hasResourceProperties("AWS::ApiGatewayV2::Stage", {
      DefaultRouteSettings: { ThrottlingRateLimit: 50, ThrottlingBurstLimit: 20 },
    });
    stats.hasResourceProperties("AWS::CloudFront::Distribution", {
      DistributionConfig: Match.objectLike({
        Aliases: ["stats.example.org"],
        ViewerCertificate: Match.objectLike({ MinimumProtocolVersion: "TLSv1.2_2021" }),
        DefaultCacheBehavior: Match.objectLike({ ViewerProtocolPolicy: "redirect-to-https" }),
      }),
    });
    only(open, "Certificate").hasResourceProperties("AWS::CertificateManager::Certificate", {
      DomainName: "stats.example.org",
      ValidationMethod: "DNS",
    });
  });

  test("answers whoever asks out of a cache of their own alone", () => {
    only(open, "Stats").hasResourceProperties("AWS::CloudFront::CachePolicy", {
      CachePolicyConfig: Match.objectLike({
        ParametersInCacheKeyAndForwardedToOrigin: Match.objectLike({
          HeadersConfig: { HeaderBehavior: "whitelist", Headers: ["Authorization", "Accept"] },
        }),
      }),
    });
  });

  test("alarms when no block comes, when messages wait and when a store is away", () => {
    const alarms = resources(only(closed, "Stats"), "AWS::CloudWatch::Alarm").map(({ Properties }) => [
      Properties.MetricName,
      Properties.Threshold,
      Properties.TreatMissingData,
      Properties.AlarmActions?.length,
    ]);
    expect(alarms.toSorted()).toEqual([
      ["SecondsSinceBlock", 600, "breaching", 1],
      ["SpooledMessages", 100, "breaching", 1],
      ["StoresAway", 0, "breaching", 1],
    ]);
    only(closed, "Stats").hasResourceProperties("AWS::Events::Rule", {
      ScheduleExpression: "rate(1 minute)",
    });
  });
});

describe("names", () => {
  test("spread clients by weight over this system and older ones, and leave out those that are down", () => {
    const records = resources(only(open, "Dns"), "AWS::Route53::RecordSet")
      .filter(({ Properties }) => Properties.Name === "servers.example.org.")
      .map(({ Properties: { Type, SetIdentifier, Weight, HealthCheckId } }) => ({
        Type,
        SetIdentifier,
        Weight,
        isChecked: HealthCheckId !== undefined,
      }));
    expect(records).toEqual([
      { Type: "CNAME", SetIdentifier: "own", Weight: 10, isChecked: true },
      { Type: "CNAME", SetIdentifier: "go", Weight: 90, isChecked: true },
    ]);
  });
});
