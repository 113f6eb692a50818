import type { Address } from "../services.ts";
import type { MysqlOptions } from "../../lib/store/mysql.ts";

/** The environment that makes a server store in this MySQL and this Redis. */
export function storeEnvironment({
  mysql,
  redis,
}: {
  mysql: MysqlOptions;
  redis: Pick<Address, "host" | "port">;
}) {
  return {
    ETH_USE_MYSQL: "true",
    MYSQL_HOST: mysql.host,
    MYSQL_PORT: `${mysql.port}`,
    MYSQL_USER: mysql.user,
    MYSQL_PASS: mysql.password,
    MYSQL_DB: mysql.database,
    ETH_USE_REDIS: "true",
    REDIS_HOST: redis.host,
    REDIS_PORT: `${redis.port}`,
  };
}
