import { Duration, RemovalPolicy, Stack, type StackProps } from "aws-cdk-lib";
import * as ec2 from "aws-cdk-lib/aws-ec2";
import { Platform } from "aws-cdk-lib/aws-ecr-assets";
import * as ecs from "aws-cdk-lib/aws-ecs";
import * as logs from "aws-cdk-lib/aws-logs";
import * as secretsmanager from "aws-cdk-lib/aws-secretsmanager";
import type { Construct } from "constructs";
import { acknowledge, acknowledgeWildcards } from "./acknowledge.ts";
import { ROOT } from "./build.ts";
import type { NetworkStack } from "./network_stack.ts";
import { SERVER_PORT, type Settings } from "./settings.ts";

/** Options of {@linkcode ClientStack}. */
export interface ClientProps extends StackProps {
  readonly settings: Settings;
  readonly network: NetworkStack;
  /** Where the servers are. */
  readonly serverHost: string;
}

const HEALTH_CHECK =
  "bun -e \"fetch('http://127.0.0.1:' + process.env.ETH_METRICS_PORT + '/healthz').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))\"";

/** Clients: a Fargate service that nobody can connect to, with a way out to Ethereum nodes. */
export class ClientStack extends Stack {
  constructor(scope: Construct, id: string, { settings, network, serverHost, ...props }: ClientProps) {
    super(scope, id, props);
    const { count, rpcUrls, rpcUrlsSecret } = settings.client;
    const cluster = new ecs.Cluster(this, "Cluster", {
      vpc: network.vpc,
      containerInsightsV2: ecs.ContainerInsights.ENABLED,
    });
    const task = new ecs.FargateTaskDefinition(this, "Task", {
      cpu: 256,
      memoryLimitMiB: 512,
      runtimePlatform: { cpuArchitecture: ecs.CpuArchitecture.ARM64 },
    });
    task.addContainer("client", {
      image: ecs.ContainerImage.fromAsset(ROOT, { target: "client", platform: Platform.LINUX_ARM64 }),
      readonlyRootFilesystem: true,
      environment: {
        ETH_CLIENT_HOST: serverHost,
        ETH_CLIENT_PORT: String(SERVER_PORT),
        ETH_LOG_FORMAT: "json",
        ...(rpcUrls.length > 0 ? { ETH_CLIENT_RPC_URL: rpcUrls.join(",") } : {}),
      },
      secrets: rpcUrlsSecret
        ? {
            ETH_CLIENT_RPC_URL: ecs.Secret.fromSecretsManager(
              secretsmanager.Secret.fromSecretNameV2(this, "RpcUrls", rpcUrlsSecret),
            ),
          }
        : {},
      // Fargate does not look at the health check of the image.
      healthCheck: {
        command: ["CMD-SHELL", HEALTH_CHECK],
        interval: Duration.seconds(10),
        startPeriod: Duration.seconds(60),
      },
      stopTimeout: Duration.seconds(15),
      logging: ecs.LogDrivers.awsLogs({
        streamPrefix: "client",
        logGroup: new logs.LogGroup(this, "Logs", {
          retention: logs.RetentionDays.ONE_MONTH,
          removalPolicy: RemovalPolicy.DESTROY,
        }),
      }),
    });
    new ecs.FargateService(this, "Service", {
      cluster,
      taskDefinition: task,
      desiredCount: count,
      vpcSubnets: { subnetType: ec2.SubnetType.PUBLIC },
      // Its way to Ethereum nodes; its group lets nobody in.
      assignPublicIp: true,
      securityGroups: [network.groups.client],
      circuitBreaker: { rollback: true },
      minHealthyPercent: 100,
      maxHealthyPercent: 200,
    });
    acknowledge(task, {
      ECS2: "The variables are addresses; what is secret comes from Secrets Manager",
    });
    acknowledgeWildcards(task, {
      "*": "ECR gives its token for all repositories, of which the role may pull from one",
      ...(rpcUrlsSecret
        ? {
            [`arn:secretsmanager:{region}:{account}:secret:${rpcUrlsSecret}-??????`]:
              "AWS adds six characters to the name of a secret",
          }
        : {}),
    });
  }
}
