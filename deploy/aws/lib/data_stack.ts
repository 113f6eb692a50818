import { Duration, RemovalPolicy, Stack, type StackProps } from "aws-cdk-lib";
import * as ec2 from "aws-cdk-lib/aws-ec2";
import * as elasticache from "aws-cdk-lib/aws-elasticache";
import * as rds from "aws-cdk-lib/aws-rds";
import * as secretsmanager from "aws-cdk-lib/aws-secretsmanager";
import type { Construct } from "constructs";
import { acknowledge } from "./acknowledge.ts";
import type { NetworkStack } from "./network_stack.ts";
import type { Settings } from "./settings.ts";

/** Options of {@linkcode DataStack}. */
export interface DataProps extends StackProps {
  readonly settings: Settings;
  readonly network: NetworkStack;
  /** Whether the data goes when the stack goes; otherwise AWS refuses to delete MySQL and keeps all. */
  readonly discard: boolean;
}

/** Where MySQL and Redis are, and who may use them. */
export interface Databases {
  /** Variables that the programs read. */
  readonly environment: Readonly<Record<string, string>>;
  /** Passwords by the variable that the programs read them from. */
  readonly secrets: {
    readonly MYSQL_PASS: secretsmanager.Secret;
    readonly REDIS_PASS: secretsmanager.Secret;
  };
}

const MYSQL_USER = "eth_user";
const MYSQL_DATABASE = "eth";
const PASSWORD_LENGTH = 32;
/** Where servers and the stats API find the certificates that RDS is known by, in their own file systems. */
export const MYSQL_CA_FILE = "rds.pem";

/** MySQL and Redis: encrypted, over TLS alone, and out of reach for all but the servers and the stats API. */
export class DataStack extends Stack {
  readonly databases: Databases;

  constructor(scope: Construct, id: string, { settings, network, discard, ...props }: DataProps) {
    super(scope, id, { ...props, terminationProtection: !discard });
    const secrets = {
      MYSQL_PASS: this.#password("MysqlPassword"),
      REDIS_PASS: this.#password("RedisPassword"),
    };
    const mysql = this.#createMysql({ settings, network, discard, password: secrets.MYSQL_PASS });
    const redis = this.#createRedis({ settings, network, discard, password: secrets.REDIS_PASS });
    this.databases = {
      secrets,
      environment: {
        ETH_USE_MYSQL: "true",
        ETH_MYSQL_TLS: "true",
        MYSQL_HOST: mysql.dbInstanceEndpointAddress,
        MYSQL_PORT: mysql.dbInstanceEndpointPort,
        MYSQL_USER,
        MYSQL_DB: MYSQL_DATABASE,
        ETH_USE_REDIS: "true",
        ETH_REDIS_TLS: "true",
        REDIS_HOST: redis.attrPrimaryEndPointAddress,
        REDIS_PORT: redis.attrPrimaryEndPointPort,
      },
    };
  }

  #password(name: string): secretsmanager.Secret {
    const secret = new secretsmanager.Secret(this, name, {
      generateSecretString: { passwordLength: PASSWORD_LENGTH, excludePunctuation: true },
    });
    acknowledge(secret, {
      SMG4: "The programs read a password when they start: a rotation is a new secret and a deployment, as README.md tells",
    });
    return secret;
  }

  #createMysql({ settings, network, discard, password }: Parts): rds.DatabaseInstance {
    const { mysqlInstance, mysqlStorageGb, standby, backupDays } = settings.data;
    const engine = rds.DatabaseInstanceEngine.mysql({ version: rds.MysqlEngineVersion.VER_8_4_6 });
    const instance = new rds.DatabaseInstance(this, "Mysql", {
      engine,
      instanceType: new ec2.InstanceType(mysqlInstance),
      vpc: network.vpc,
      vpcSubnets: { subnetType: ec2.SubnetType.PRIVATE_ISOLATED },
      securityGroups: [network.groups.mysql],
      publiclyAccessible: false,
      credentials: rds.Credentials.fromPassword(MYSQL_USER, password.secretValue),
      databaseName: MYSQL_DATABASE,
      parameterGroup: new rds.ParameterGroup(this, "MysqlParameters", {
        engine,
        parameters: { require_secure_transport: "1" },
      }),
      allocatedStorage: mysqlStorageGb,
      maxAllocatedStorage: mysqlStorageGb * 5,
      storageType: rds.StorageType.GP3,
      storageEncrypted: true,
      multiAz: standby,
      backupRetention: Duration.days(backupDays),
      copyTagsToSnapshot: true,
      cloudwatchLogsExports: ["error"],
      iamAuthentication: false,
      autoMinorVersionUpgrade: true,
      deletionProtection: !discard,
      deleteAutomatedBackups: discard,
      removalPolicy: discard ? RemovalPolicy.DESTROY : RemovalPolicy.RETAIN,
    });
    acknowledge(instance, {
      RDS11:
        "The port is the one that all implementations have as their default; the group, not the port, keeps others out",
      ...(discard ? { RDS10: "The operator has asked to have the data discarded" } : {}),
      ...(standby
        ? {}
        : {
            RDS3: "A standby doubles the price; data.standby adds it, and servers spool on disk while MySQL is away",
          }),
    });
    return instance;
  }

  #createRedis({ settings, network, discard, password }: Parts): elasticache.CfnReplicationGroup {
    const { redisNode, standby, backupDays } = settings.data;
    const subnets = new elasticache.CfnSubnetGroup(this, "RedisSubnets", {
      description: "Isolated subnets",
      subnetIds: network.vpc.isolatedSubnets.map(({ subnetId }) => subnetId),
    });
    const group = new elasticache.CfnReplicationGroup(this, "Redis", {
      replicationGroupDescription: "Statistics of the servers",
      engine: "redis",
      engineVersion: "7.1",
      cacheNodeType: `cache.${redisNode}`,
      numNodeGroups: 1,
      replicasPerNodeGroup: standby ? 1 : 0,
      automaticFailoverEnabled: standby,
      multiAzEnabled: standby,
      cacheSubnetGroupName: subnets.ref,
      securityGroupIds: [network.groups.redis.securityGroupId],
      atRestEncryptionEnabled: true,
      transitEncryptionEnabled: true,
      transitEncryptionMode: "required",
      authToken: password.secretValue.unsafeUnwrap(), // a reference, which CloudFormation resolves
      snapshotRetentionLimit: backupDays,
      autoMinorVersionUpgrade: true,
    });
    group.applyRemovalPolicy(discard ? RemovalPolicy.DESTROY : RemovalPolicy.RETAIN);
    acknowledge(group, {
      AEC5: "The port is the one that all implementations have as their default; the group, not the port, keeps others out",
      ...(standby
        ? {}
        : {
            AEC4: "A standby doubles the price; data.standby adds it, and servers spool on disk while Redis is away",
          }),
    });
    return group;
  }
}

interface Parts extends Pick<DataProps, "settings" | "network" | "discard"> {
  readonly password: secretsmanager.Secret;
}
