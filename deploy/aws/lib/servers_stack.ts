import { Stack, type StackProps } from "aws-cdk-lib";
import * as assets from "aws-cdk-lib/aws-ecr-assets";
import * as beanstalk from "aws-cdk-lib/aws-elasticbeanstalk";
import * as iam from "aws-cdk-lib/aws-iam";
import { Asset } from "aws-cdk-lib/aws-s3-assets";
import type { Construct } from "constructs";
import { acknowledge, acknowledgeWildcards } from "./acknowledge.ts";
import { BEANSTALK_FOLDER, ROOT } from "./build.ts";
import { MYSQL_CA_FILE, type DataStack } from "./data_stack.ts";
import type { NetworkStack } from "./network_stack.ts";
import { SERVER_PORT, type Settings } from "./settings.ts";

/** Options of {@linkcode ServersStack}. */
export interface ServersProps extends StackProps {
  readonly settings: Settings;
  readonly network: NetworkStack;
  readonly data: DataStack;
}

type Options = Readonly<Record<string, Readonly<Record<string, string>>>>;

const LOG_DAYS = 30;
const SERVICE_POLICIES = [
  "service-role/AWSElasticBeanstalkEnhancedHealth",
  "AWSElasticBeanstalkManagedUpdatesCustomerRolePolicy",
];

/** Servers: an environment of Elastic Beanstalk on its Docker platform, behind a network load balancer. */
export class ServersStack extends Stack {
  /** Host name of the load balancer. */
  readonly host: string;
  readonly environmentName: string;

  constructor(scope: Construct, id: string, { settings, network, data, ...props }: ServersProps) {
    super(scope, id, props);
    const image = new assets.DockerImageAsset(this, "Image", {
      directory: ROOT,
      target: "server",
      platform: assets.Platform.LINUX_ARM64,
    });
    const bundle = new Asset(this, "Bundle", { path: BEANSTALK_FOLDER });
    const profile = this.#createProfile({ image, bundle, data });
    const application = new beanstalk.CfnApplication(this, "Application", {
      description: "Servers of eth-client-server",
    });
    const version = new beanstalk.CfnApplicationVersion(this, "Version", {
      applicationName: application.ref,
      sourceBundle: { s3Bucket: bundle.s3BucketName, s3Key: bundle.s3ObjectKey },
    });
    const environment = new beanstalk.CfnEnvironment(this, "Environment", {
      applicationName: application.ref,
      versionLabel: version.ref,
      solutionStackName: settings.servers.platform,
      optionSettings: toOptionSettings({
        ...this.#infrastructure({ settings, network, profile }),
        ...DEPLOYMENT,
        "aws:elasticbeanstalk:application:environment": {
          ...data.databases.environment,
          MYSQL_CA: `/etc/eth/${MYSQL_CA_FILE}`,
          SERVER_IMAGE: image.imageUri,
          ETH_LOG_FORMAT: "json",
          ETH_SERVER_PORT: String(SERVER_PORT),
          ETH_SERVER_PROXY_PROTOCOL: "true",
          ETH_SERVER_PROXY_TRUST: settings.network.cidr,
        },
        "aws:elasticbeanstalk:application:environmentsecrets": Object.fromEntries(
          Object.entries(data.databases.secrets).map(([name, secret]) => [name, secret.secretArn]),
        ),
      }),
    });
    this.host = environment.attrEndpointUrl;
    this.environmentName = environment.ref;
  }

  #infrastructure({ settings, network, profile }: Infrastructure): Options {
    const { servers } = settings;
    const { vpc, groups } = network;
    const isolated = vpc.isolatedSubnets.map(({ subnetId }) => subnetId).join(",");
    const isOpen = servers.openTo === "internet";
    return {
      "aws:elasticbeanstalk:environment": {
        EnvironmentType: "LoadBalanced",
        LoadBalancerType: "network",
        ServiceRole: this.#createServiceRole().roleArn,
      },
      "aws:elasticbeanstalk:environment:proxy": { ProxyServer: "none" },
      "aws:ec2:vpc": {
        VPCId: vpc.vpcId,
        Subnets: isolated,
        AssociatePublicIpAddress: "false",
        ELBScheme: isOpen ? "public" : "internal",
        ELBSubnets: isOpen ? vpc.publicSubnets.map(({ subnetId }) => subnetId).join(",") : isolated,
      },
      "aws:ec2:instances": { InstanceTypes: servers.instance, SupportedArchitectures: "arm64" },
      "aws:autoscaling:launchconfiguration": {
        IamInstanceProfile: profile.attrArn,
        SecurityGroups: groups.servers.securityGroupId,
        DisableDefaultEC2SecurityGroup: "true",
        DisableIMDSv1: "true",
        RootVolumeType: "gp3",
      },
      "aws:autoscaling:asg": { MinSize: String(servers.minimum), MaxSize: String(servers.maximum) },
      "aws:autoscaling:updatepolicy:rollingupdate": {
        RollingUpdateEnabled: "true",
        RollingUpdateType: "Health",
        MinInstancesInService: String(Math.max(1, servers.minimum - 1)),
        MaxBatchSize: "1",
      },
      "aws:elasticbeanstalk:customoption": { LoadBalancerSecurityGroup: groups.loadBalancer.securityGroupId },
    };
  }

  /** What the instances may do: get their software and secrets, and tell how they are. */
  #createProfile({ image, bundle, data }: Software): iam.CfnInstanceProfile {
    const role = new iam.Role(this, "InstanceRole", {
      assumedBy: new iam.ServicePrincipal("ec2.amazonaws.com"),
    });
    image.repository.grantPull(role);
    for (const secret of Object.values(data.databases.secrets)) secret.grantRead(role);
    const bundleArn = `arn:${this.partition}:s3:::${bundle.s3BucketName}/${bundle.s3ObjectKey}`;
    const bucketArn = `arn:${this.partition}:s3:::elasticbeanstalk-${this.region}-${this.account}`;
    const beanstalkArn = `arn:${this.partition}:elasticbeanstalk:${this.region}:${this.account}`;
    const logsArn = `arn:${this.partition}:logs:${this.region}:${this.account}`;
    const statements = [
      { actions: ["s3:GetObject"], resources: [bundleArn] },
      {
        actions: ["s3:GetObject", "s3:PutObject"],
        resources: [`${bucketArn}/resources/environments/*`],
      },
      {
        actions: ["elasticbeanstalk:PutInstanceStatistics"],
        resources: [`${beanstalkArn}:application/*`, `${beanstalkArn}:environment/*`],
      },
      {
        actions: ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
        resources: [`${logsArn}:log-group:/aws/elasticbeanstalk/*`],
      },
    ];
    for (const statement of statements) role.addToPolicy(new iam.PolicyStatement(statement));
    const unnamed = "Elastic Beanstalk makes up the names of its environments when it makes them";
    acknowledgeWildcards(role, {
      "*": "ECR gives its token for all repositories, of which the role may pull from one",
      "arn:s3:::elasticbeanstalk-{region}-{account}/resources/environments/*": unnamed,
      "arn:elasticbeanstalk:{region}:{account}:application/*": unnamed,
      "arn:elasticbeanstalk:{region}:{account}:environment/*": unnamed,
      "arn:logs:{region}:{account}:log-group:/aws/elasticbeanstalk/*": unnamed,
    });
    return new iam.CfnInstanceProfile(this, "InstanceProfile", { roles: [role.roleName] });
  }

  #createServiceRole(): iam.Role {
    const role = new iam.Role(this, "ServiceRole", {
      assumedBy: new iam.ServicePrincipal("elasticbeanstalk.amazonaws.com", {
        conditions: { StringEquals: { "aws:SourceAccount": this.account } },
      }),
      managedPolicies: SERVICE_POLICIES.map((name) => iam.ManagedPolicy.fromAwsManagedPolicyName(name)),
    });
    for (const policy of SERVICE_POLICIES) {
      acknowledge(role, {
        [`IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/${policy}]`]:
          "Elastic Beanstalk asks for this policy, which AWS keeps in step with the service",
      });
    }
    return role;
  }
}

interface Infrastructure extends Pick<ServersProps, "settings" | "network"> {
  readonly profile: iam.CfnInstanceProfile;
}

interface Software extends Pick<ServersProps, "data"> {
  readonly image: assets.DockerImageAsset;
  readonly bundle: Asset;
}

/** What is the same in every environment: how clients get in, how a new version goes out, health and logs. */
const DEPLOYMENT: Options = {
  "aws:elbv2:listener:default": { ListenerEnabled: "false" },
  [`aws:elbv2:listener:${SERVER_PORT}`]: {
    ListenerEnabled: "true",
    Protocol: "TCP",
    DefaultProcess: "default",
  },
  "aws:elasticbeanstalk:environment:process:default": {
    Port: String(SERVER_PORT),
    Protocol: "TCP",
    HealthCheckInterval: "10",
    HealthyThresholdCount: "3",
    UnhealthyThresholdCount: "3",
  },
  "aws:elasticbeanstalk:command": {
    DeploymentPolicy: "RollingWithAdditionalBatch",
    BatchSizeType: "Fixed",
    BatchSize: "1",
  },
  "aws:elasticbeanstalk:healthreporting:system": { SystemType: "enhanced" },
  "aws:elasticbeanstalk:hostmanager": { LogPublicationControl: "true" },
  "aws:elasticbeanstalk:cloudwatch:logs": {
    StreamLogs: "true",
    DeleteOnTerminate: "false",
    RetentionInDays: String(LOG_DAYS),
  },
  "aws:elasticbeanstalk:managedactions": { ManagedActionsEnabled: "true", PreferredStartTime: "Tue:03:00" },
  "aws:elasticbeanstalk:managedactions:platformupdate": { UpdateLevel: "minor" },
};

function toOptionSettings(options: Options): beanstalk.CfnEnvironment.OptionSettingProperty[] {
  return Object.entries(options).flatMap(([namespace, values]) =>
    Object.entries(values).map(([optionName, value]) => ({ namespace, optionName, value })),
  );
}
