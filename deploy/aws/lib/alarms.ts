import { CfnOutput, Duration } from "aws-cdk-lib";
import * as cloudwatch from "aws-cdk-lib/aws-cloudwatch";
import { SnsAction } from "aws-cdk-lib/aws-cloudwatch-actions";
import * as sns from "aws-cdk-lib/aws-sns";
import { EmailSubscription } from "aws-cdk-lib/aws-sns-subscriptions";
import type { Construct } from "constructs";
import { METRICS_NAMESPACE, type MetricName } from "../lambda/report.ts";
import { acknowledge } from "./acknowledge.ts";

/** Options of {@linkcode addAlarms}. */
export interface AlarmsOptions {
  /** Name of the system in its metrics. */
  readonly system: string;
  /** Where alarms are sent. */
  readonly email?: string | undefined;
}

interface Alarm {
  readonly metric: MetricName;
  readonly above: number;
  /** For so many minutes, one after the other. */
  readonly minutes: number;
  readonly meaning: string;
}

const ALARMS: Readonly<Record<string, Alarm>> = {
  NoBlock: {
    metric: "SecondsSinceBlock",
    above: 600,
    minutes: 1,
    meaning: "No block was stored in the last 10 minutes",
  },
  Spool: {
    metric: "SpooledMessages",
    above: 100,
    minutes: 5,
    meaning: "Messages wait on the disks of servers as MySQL or Redis cannot be written",
  },
  Stores: { metric: "StoresAway", above: 0, minutes: 2, meaning: "MySQL or Redis does not answer" },
};

/** Adds the alarms on what is in the stores, whoever has stored it, and the topic that they are told through. */
export function addAlarms(scope: Construct, { system, email }: AlarmsOptions): void {
  const topic = new sns.Topic(scope, "Alarms", { enforceSSL: true });
  acknowledge(topic, {
    SNS2: "An alarm holds nothing that is secret, and CloudWatch could not use a topic under the key of AWS",
  });
  if (email) topic.addSubscription(new EmailSubscription(email));
  for (const [name, { metric, above, minutes, meaning }] of Object.entries(ALARMS)) {
    const alarm = new cloudwatch.Alarm(scope, `${name}Alarm`, {
      alarmDescription: meaning,
      metric: new cloudwatch.Metric({
        namespace: METRICS_NAMESPACE,
        metricName: metric,
        dimensionsMap: { System: system },
        statistic: cloudwatch.Stats.MAXIMUM,
        period: Duration.minutes(1),
      }),
      comparisonOperator: cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
      threshold: above,
      evaluationPeriods: minutes,
      // What looks each minute must itself be seen to look.
      treatMissingData: cloudwatch.TreatMissingData.BREACHING,
    });
    alarm.addAlarmAction(new SnsAction(topic));
    alarm.addOkAction(new SnsAction(topic));
  }
  new CfnOutput(scope, "AlarmTopic", { value: topic.topicArn });
}
