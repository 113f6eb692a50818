import { Stack, Token, Validations } from "aws-cdk-lib";
import type { IConstruct } from "constructs";

/** Rules of cdk-nag's AWS Solutions that a construct does not follow, each with the reason why that is right. */
export type Reasons = Readonly<Record<string, string>>;

/** Declares that a construct, and all in it, does not follow rules, each for its reason. */
export function acknowledge(construct: IConstruct, reasons: Reasons): void {
  for (const [rule, reason] of Object.entries(reasons))
    Validations.of(construct).acknowledge({ id: `AwsSolutions-${rule}`, reason });
}

/** Declares for what reason the rights of a role hold wildcards: those resources, and no others. */
export function acknowledgeWildcards(role: IConstruct, reasons: Reasons): void {
  const { account, region } = Stack.of(role);
  const known = Token.isUnresolved(account) ? "<AWS::AccountId>" : account;
  for (const [resource, reason] of Object.entries(reasons)) {
    const named = resource
      .replace(/^arn:/, "arn:<AWS::Partition>:")
      .replaceAll("{region}", region)
      .replaceAll("{account}", known);
    acknowledge(role, { [`IAM5[Resource::${named}]`]: reason });
  }
}
