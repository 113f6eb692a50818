import { file, host, port, toggle, whole, words, type SettingsOf } from "../flags.ts";

/** Flags that say where MySQL and Redis are; they are needed with `--use-mysql` and `--use-redis` only. */
export const databaseFlags = {
  useMysql: toggle({ flag: "use-mysql", description: "keep pages in MySQL" }),
  mysqlHost: host({
    flag: "mysql-host",
    sharedEnv: "MYSQL_HOST",
    description: "MySQL server",
  }),
  mysqlPort: port({
    flag: "mysql-port",
    sharedEnv: "MYSQL_PORT",
    defaultText: "3306",
    description: "its port",
  }),
  mysqlUser: words({
    flag: "mysql-user",
    placeholder: "USER",
    sharedEnv: "MYSQL_USER",
    description: "its user",
  }),
  mysqlPass: words({
    flag: "mysql-pass",
    placeholder: "PASSWORD",
    sharedEnv: "MYSQL_PASS",
    secret: true,
    description: "its password; the environment keeps it out of the list of processes",
  }),
  mysqlDb: words({
    flag: "mysql-db",
    placeholder: "NAME",
    sharedEnv: "MYSQL_DB",
    description: "its database",
  }),
  mysqlTls: toggle({ flag: "mysql-tls", description: "talk to MySQL over TLS" }),
  mysqlCa: file({
    flag: "mysql-ca",
    sharedEnv: "MYSQL_CA",
    needs: ["mysql-tls"],
    description: "certificates to trust for MySQL, in PEM, instead of the system's",
  }),
  useRedis: toggle({ flag: "use-redis", description: "keep statistics in Redis" }),
  redisHost: host({
    flag: "redis-host",
    sharedEnv: "REDIS_HOST",
    description: "Redis server",
  }),
  redisPort: port({
    flag: "redis-port",
    sharedEnv: "REDIS_PORT",
    defaultText: "6379",
    description: "its port",
  }),
  redisDb: whole(
    { min: 0, max: 65_535 },
    {
      flag: "redis-db",
      placeholder: "NUMBER",
      sharedEnv: "REDIS_DB",
      defaultText: "0",
      description: "its database",
    },
  ),
  redisPass: words({
    flag: "redis-pass",
    placeholder: "PASSWORD",
    sharedEnv: "REDIS_PASS",
    secret: true,
    description: "its password; the environment keeps it out of the list of processes",
  }),
  redisTls: toggle({ flag: "redis-tls", description: "talk to Redis over TLS" }),
} as const;

/** Settings that say where MySQL and Redis are. */
export type DatabaseSettings = SettingsOf<typeof databaseFlags>;
