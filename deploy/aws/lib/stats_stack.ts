import { CfnOutput, Duration, RemovalPolicy, Stack, type StackProps } from "aws-cdk-lib";
import * as apigateway from "aws-cdk-lib/aws-apigatewayv2";
import { HttpLambdaIntegration } from "aws-cdk-lib/aws-apigatewayv2-integrations";
import type { ICertificate } from "aws-cdk-lib/aws-certificatemanager";
import * as cloudfront from "aws-cdk-lib/aws-cloudfront";
import { HttpOrigin } from "aws-cdk-lib/aws-cloudfront-origins";
import * as ec2 from "aws-cdk-lib/aws-ec2";
import * as events from "aws-cdk-lib/aws-events";
import { LambdaFunction } from "aws-cdk-lib/aws-events-targets";
import * as iam from "aws-cdk-lib/aws-iam";
import * as lambda from "aws-cdk-lib/aws-lambda";
import * as logs from "aws-cdk-lib/aws-logs";
import * as secretsmanager from "aws-cdk-lib/aws-secretsmanager";
import type { Construct } from "constructs";
import { acknowledge, acknowledgeWildcards } from "./acknowledge.ts";
import { addAlarms } from "./alarms.ts";
import { CHALLENGE_FILE, LAMBDA_FOLDER } from "./build.ts";
import { MYSQL_CA_FILE, type DataStack } from "./data_stack.ts";
import type { NetworkStack } from "./network_stack.ts";
import type { Settings } from "./settings.ts";

/** Options of {@linkcode StatsStack}. */
export interface StatsProps extends StackProps {
  readonly settings: Settings;
  readonly network: NetworkStack;
  readonly data: DataStack;
  /** Certificate of the stats API's own name, where there is a domain. */
  readonly certificate?: ICertificate | undefined;
}

const AUTH_USER = "stats";
/** Requests a second; it also bounds how many functions run at a time, and their connections to MySQL. */
const THROTTLE = { rateLimit: 50, burstLimit: 20 };

/** The stats API: Lambda behind an HTTP API behind CloudFront, and the alarms, which come from the same stores. */
export class StatsStack extends Stack {
  readonly distribution: cloudfront.Distribution;

  constructor(scope: Construct, id: string, { settings, network, data, certificate, ...props }: StatsProps) {
    super(scope, id, props);
    const auth = new secretsmanager.Secret(this, "Auth", {
      description: "Who may look at the stats API",
      generateSecretString: {
        secretStringTemplate: JSON.stringify({ username: AUTH_USER }),
        generateStringKey: "password",
        passwordLength: 24,
        excludePunctuation: true,
      },
    });
    acknowledge(auth, { SMG4: "People know it: they change it themselves, when one of them leaves" });
    const secrets = { ...data.databases.secrets, STATS_AUTH: auth };
    const functionOf = (name: string, { handler }: { readonly handler: string }) =>
      this.#createFunction(name, { handler, network, data, secrets, system: settings.name });

    const api = this.#createApi(functionOf("Stats", { handler: "stats.handler" }));
    const watch = functionOf("Watch", { handler: "stats.watch" });
    new events.Rule(this, "EachMinute", {
      schedule: events.Schedule.rate(Duration.minutes(1)),
      targets: [new LambdaFunction(watch, { retryAttempts: 0 })],
    });
    addAlarms(this, { system: settings.name, email: settings.alarmEmail });

    this.distribution = this.#createDistribution({ api, certificate, domain: settings.domain });
    const host = settings.domain
      ? `${settings.domain.stats}.${settings.domain.name}`
      : this.distribution.distributionDomainName;
    new CfnOutput(this, "Dashboard", { value: `https://${host}/dashboard` });
    new CfnOutput(this, "AuthSecret", { value: auth.secretArn });
  }

  #createFunction(name: string, { handler, network, data, secrets, system }: FunctionParts): lambda.Function {
    const logGroup = new logs.LogGroup(this, `${name}Logs`, {
      retention: logs.RetentionDays.ONE_MONTH,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    const role = new iam.Role(this, `${name}Role`, {
      assumedBy: new iam.ServicePrincipal("lambda.amazonaws.com"),
    });
    logGroup.grantWrite(role);
    // Lambda itself plugs the function into the network, and asks for the right to do so without naming what.
    role.addToPolicy(
      new iam.PolicyStatement({
        actions: [
          "ec2:CreateNetworkInterface",
          "ec2:DeleteNetworkInterface",
          "ec2:DescribeNetworkInterfaces",
          "ec2:DescribeSubnets",
          "ec2:AssignPrivateIpAddresses",
          "ec2:UnassignPrivateIpAddresses",
        ],
        resources: ["*"],
      }),
    );
    acknowledgeWildcards(role, {
      "*": "Lambda creates the network interfaces of a function under names that only it knows, and does not take less",
    });
    const created = new lambda.Function(this, name, {
      runtime: lambda.Runtime.NODEJS_24_X,
      architecture: lambda.Architecture.ARM_64,
      code: lambda.Code.fromAsset(LAMBDA_FOLDER),
      handler,
      role: role.withoutPolicyUpdates(),
      memorySize: 512,
      timeout: Duration.seconds(15),
      logGroup,
      vpc: network.vpc,
      vpcSubnets: { subnetType: ec2.SubnetType.PRIVATE_ISOLATED },
      securityGroups: [network.groups.stats],
      paramsAndSecrets: lambda.ParamsAndSecretsLayerVersion.fromVersion(
        lambda.ParamsAndSecretsVersions.V1_0_103,
      ),
      environment: {
        ...data.databases.environment,
        MYSQL_CA: `/var/task/${MYSQL_CA_FILE}`,
        SYSTEM: system,
        ...Object.fromEntries(
          Object.entries(secrets).map(([variable, secret]) => [`${variable}_SECRET`, secret.secretArn]),
        ),
      },
    });
    for (const secret of Object.values(secrets)) secret.grantRead(role);
    return created;
  }

  #createApi(handler: lambda.Function): apigateway.HttpApi {
    const accessLogs = new logs.LogGroup(this, "AccessLogs", {
      retention: logs.RetentionDays.ONE_MONTH,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    const api = new apigateway.HttpApi(this, "Api", { createDefaultStage: false });
    const integration = new HttpLambdaIntegration("Function", handler);
    api.addRoutes({ path: "/{proxy+}", methods: [apigateway.HttpMethod.ANY], integration });
    api.addRoutes({ path: "/", methods: [apigateway.HttpMethod.ANY], integration });
    new apigateway.HttpStage(this, "Stage", {
      httpApi: api,
      stageName: "$default",
      autoDeploy: true,
      throttle: THROTTLE,
      accessLogSettings: { destination: new apigateway.LogGroupLogDestination(accessLogs) },
    });
    acknowledge(api, {
      APIG4:
        "The function itself asks for a user and a password, as it does everywhere else, and answers /healthz alone without",
    });
    return api;
  }

  #createDistribution({ api, certificate, domain }: DistributionParts): cloudfront.Distribution {
    const cachePolicy = new cloudfront.CachePolicy(this, "AsAnswered", {
      comment: "Keeps an answer as long as it says itself, for each user apart",
      minTtl: Duration.seconds(0),
      defaultTtl: Duration.seconds(0),
      maxTtl: Duration.days(365),
      headerBehavior: cloudfront.CacheHeaderBehavior.allowList("Authorization", "Accept"),
      queryStringBehavior: cloudfront.CacheQueryStringBehavior.all(),
      cookieBehavior: cloudfront.CacheCookieBehavior.none(),
      enableAcceptEncodingGzip: true,
    });
    const distribution = new cloudfront.Distribution(this, "Distribution", {
      comment: "The stats API",
      defaultBehavior: {
        origin: new HttpOrigin(`${api.apiId}.execute-api.${this.region}.${this.urlSuffix}`, {
          protocolPolicy: cloudfront.OriginProtocolPolicy.HTTPS_ONLY,
          originSslProtocols: [cloudfront.OriginSslPolicy.TLS_V1_2],
        }),
        viewerProtocolPolicy: cloudfront.ViewerProtocolPolicy.REDIRECT_TO_HTTPS,
        allowedMethods: cloudfront.AllowedMethods.ALLOW_ALL,
        cachePolicy,
        functionAssociations: [
          {
            eventType: cloudfront.FunctionEventType.VIEWER_REQUEST,
            function: new cloudfront.Function(this, "Challenge", {
              code: cloudfront.FunctionCode.fromFile({ filePath: CHALLENGE_FILE }),
              runtime: cloudfront.FunctionRuntime.JS_2_0,
            }),
          },
        ],
        originRequestPolicy: cloudfront.OriginRequestPolicy.ALL_VIEWER_EXCEPT_HOST_HEADER,
        responseHeadersPolicy: new cloudfront.ResponseHeadersPolicy(this, "HttpsAlways", {
          securityHeadersBehavior: {
            strictTransportSecurity: {
              accessControlMaxAge: Duration.days(365),
              includeSubdomains: false,
              override: true,
            },
          },
        }),
      },
      httpVersion: cloudfront.HttpVersion.HTTP2_AND_3,
      priceClass: cloudfront.PriceClass.PRICE_CLASS_100,
      ...(certificate && domain
        ? {
            certificate,
            domainNames: [`${domain.stats}.${domain.name}`],
            minimumProtocolVersion: cloudfront.SecurityPolicyProtocol.TLS_V1_2_2021,
          }
        : {}),
    });
    acknowledge(distribution, {
      CFR1: "Whoever knows the password may look, from anywhere",
      CFR2: "A firewall costs more than all else of the stats API; each request is throttled and asked for a password",
      CFR3: "The HTTP API behind it keeps a log of each request",
      ...(certificate
        ? {}
        : { CFR4: "Without a domain the name, and with it the certificate, is CloudFront's own" }),
    });
    return distribution;
  }
}

interface FunctionParts {
  readonly handler: string;
  readonly network: NetworkStack;
  readonly data: DataStack;
  /** By the variable that the program reads. */
  readonly secrets: Readonly<Record<string, secretsmanager.Secret>>;
  readonly system: string;
}

interface DistributionParts {
  readonly api: apigateway.HttpApi;
  readonly certificate: ICertificate | undefined;
  readonly domain: Settings["domain"];
}
