import { Duration, Validations } from "aws-cdk-lib";
import { Alarm, ComparisonOperator, type IMetric, TreatMissingData } from "aws-cdk-lib/aws-cloudwatch";
import { SnsAction } from "aws-cdk-lib/aws-cloudwatch-actions";
import { EventField, type IRule, Rule, RuleTargetInput } from "aws-cdk-lib/aws-events";
import { SnsTopic } from "aws-cdk-lib/aws-events-targets";
import { PolicyStatement, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { Key } from "aws-cdk-lib/aws-kms";
import type { IFunction } from "aws-cdk-lib/aws-lambda";
import { Topic } from "aws-cdk-lib/aws-sns";
import { EmailSubscription } from "aws-cdk-lib/aws-sns-subscriptions";
import type { IStateMachine } from "aws-cdk-lib/aws-stepfunctions";
import { Construct } from "constructs";
import type { AlarmsConfig, DrillConfig, ScheduleConfig } from "../src/core/deployment/config.ts";
import { detailTypes, eventSource } from "../src/core/deployment/events.ts";
import { longestSilence, promiseOf } from "../src/core/deployment/schedule-promise.ts";
import type { Machine } from "../src/core/execution/machines.ts";
import type { DeadLetters } from "./dead-letters.ts";
import { failedInvocations, goodDrills, scheduledBackups, schedulerFaults } from "./metrics.ts";
import { actingFor } from "./trust.ts";

interface AlarmsProps {
  readonly stack: string;
  readonly config: AlarmsConfig;
  /** Customer-managed key of the topic. */
  readonly topicKeyArn: string | undefined;
  readonly stateMachines: ReadonlyMap<Machine, IStateMachine>;
  /** The functions that rules invoke, by name: their failures fail no execution. */
  readonly eventFunctions: ReadonlyMap<string, IFunction>;
  /** Rules of the stack, by a name for people. */
  readonly rules: ReadonlyMap<string, IRule>;
  /** Groups of schedules of EventBridge Scheduler, by what they are. */
  readonly scheduleGroups: ReadonlyMap<string, string>;
  readonly deadLetters: DeadLetters;
  readonly schedules: readonly ScheduleConfig[];
  readonly drills: readonly DrillConfig[];
}

const sum = { period: Duration.minutes(5), statistic: "Sum" };

/**
 * Who is told, and of what: every event of a failure with its reason, and alarms for failed executions, failed functions behind rules
 * that EventBridge could not start, what lies in the dead-letter queue, schedules without backups, drills without successes. `docs/runbook.md` has an entry for each alarm, by the end of its name.
 */
export class Alarms extends Construct {
  readonly topic: Topic;
  readonly alarms: readonly Alarm[];
  readonly #stack: string;

  constructor(scope: Construct, id: string, props: AlarmsProps) {
    super(scope, id);
    const { stack, config, topicKeyArn } = props;
    this.#stack = stack;
    this.topic = this.#createTopic(config, topicKeyArn);
    const failures = this.#tellFailures(stack, props.deadLetters);
    this.alarms = [
      // Those that were stopped by hand are no fault.
      ...[...props.stateMachines].flatMap(([machine, it]) => [
        this.#alarm(`${machine}-failed`, `An execution of ${machine} failed`, it.metricFailed(sum)),
        this.#alarm(`${machine}-timed-out`, `An execution of ${machine} ran out of time`, it.metricTimedOut(sum)),
      ]),
      ...[...props.eventFunctions].map(([name, lambda]) =>
        this.#alarm(`${name}-failed`, `The function ${name} failed`, lambda.metricErrors(sum)),
      ),
      ...[...props.rules, ["failures", failures] as const].map(([name, rule]) =>
        this.#alarm(
          `rule-${name}-failed`,
          `The rule ${name} could not start what it is for`,
          failedInvocations(rule, sum),
        ),
      ),
      ...[...props.scheduleGroups].flatMap(([name, group]) =>
        schedulerFaults(group, sum).map(({ fault, what, metric }) =>
          this.#alarm(`${name}-${fault}`, `${what} ${name} are for`, metric),
        ),
      ),
      this.#alarm(
        "dead-letters",
        "Something that an event was to start could not be started, and lies in the dead-letter queue",
        props.deadLetters.queue.metricApproximateNumberOfMessagesVisible({ ...sum, statistic: "Maximum" }),
      ),
      ...props.schedules.flatMap((schedule) =>
        this.#late(
          { ...schedule, alarmAfter: schedule.alarmAfter ?? longestSilence(promiseOf(schedule)) },
          {
            name: `schedule-${schedule.name}-late`,
            what: `The schedule ${schedule.name} has not produced a complete backup`,
            metric: (period) => scheduledBackups(stack, schedule.name, period),
          },
        ),
      ),
      ...props.drills.flatMap((drill) =>
        this.#late(drill, {
          name: `drill-${drill.name}-late`,
          what: `The drill ${drill.name} has not restored a backup well`,
          metric: (period) => goodDrills(stack, drill.name, period),
        }),
      ),
    ];
    for (const alarm of this.alarms) {
      alarm.addAlarmAction(new SnsAction(this.topic));
      alarm.addOkAction(new SnsAction(this.topic));
    }
    // A topic with a policy of its own has lost the default one, which lets CloudWatch in.
    this.topic.addToResourcePolicy(
      new PolicyStatement({
        sid: "AllowAlarms",
        principals: [new ServicePrincipal("cloudwatch.amazonaws.com")],
        actions: ["sns:Publish"],
        resources: [this.topic.topicArn],
        conditions: actingFor(this.alarms.map(({ alarmArn }) => alarmArn)),
      }),
    );
  }

  #createTopic({ emails }: AlarmsConfig, topicKeyArn: string | undefined): Topic {
    const topic = new Topic(this, "Topic", {
      displayName: "milvus-backup",
      enforceSSL: true,
      ...(topicKeyArn !== undefined && { masterKey: Key.fromKeyArn(this, "TopicKey", topicKeyArn) }),
    });
    if (topicKeyArn === undefined) {
      Validations.of(topic).acknowledge({
        id: "AwsSolutions-SNS2",
        reason:
          "Messages name executions, collections and errors, no data and no secret. AWS's own key would shut out CloudWatch and EventBridge; a customer-managed one is set with alarms.topicKeyArn or encryptionKeyArn.",
      });
    }
    for (const email of emails) topic.addSubscription(new EmailSubscription(email));
    return topic;
  }

  /** Sends every failure with its reason: an alarm only says that there was one. */
  #tellFailures(stack: string, { queue }: DeadLetters): IRule {
    const field = (path: string) => EventField.fromPath(path);
    const rule = new Rule(this, "Failures", {
      description: "milvus-backup: tells the topic what failed, and why",
      eventPattern: {
        source: [eventSource],
        detailType: detailTypes.filter((type) => type.endsWith(" Failed")),
        detail: { stack: [stack] },
      },
      targets: [
        // By its ARN: for a topic of this stack CDK would let every rule of every account in.
        new SnsTopic(Topic.fromTopicArn(this, "Told", this.topic.topicArn), {
          deadLetterQueue: queue,
          message: RuleTargetInput.fromObject({
            what: field("$.detail-type"),
            stack,
            time: field("$.time"),
            error: field("$.detail.failure.Error"),
            cause: field("$.detail.failure.Cause"),
            execution: field("$.detail.execution"),
            input: field("$.detail.input"),
          }),
        }),
      ],
    });
    this.topic.addToResourcePolicy(
      new PolicyStatement({
        sid: "AllowFailures",
        principals: [new ServicePrincipal("events.amazonaws.com")],
        actions: ["sns:Publish"],
        resources: [this.topic.topicArn],
        conditions: actingFor([rule.ruleArn]),
      }),
    );
    return rule;
  }

  /** What a schedule did not bring in time; none where it is off, or nobody can say how long it may take. */
  #late(
    { alarmAfter, enabled }: Pick<ScheduleConfig, "alarmAfter" | "enabled">,
    { name, what, metric }: { readonly name: string; readonly what: string; metric(period: Duration): IMetric },
  ): Alarm[] {
    if (alarmAfter === undefined || !enabled) return [];
    // CloudWatch looks back a day, and seven in steps of an hour.
    const step = alarmAfter > 86_400 ? 3600 : alarmAfter;
    return [
      this.#alarm(name, `${what} in ${alarmAfter / 60} minutes`, metric(Duration.seconds(step)), {
        missing: alarmAfter / step,
      }),
    ];
  }

  /** @param options.missing in how many periods in a row nothing may be counted; absent: anything counted is an alarm */
  #alarm(name: string, what: string, metric: IMetric, options: { missing?: number } = {}): Alarm {
    const { missing } = options;
    return new Alarm(this, name, {
      alarmName: `${this.#stack}-${name}`,
      alarmDescription: `${what}. docs/runbook.md says what to do`,
      metric,
      threshold: 1,
      ...(missing === undefined
        ? {
            comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            evaluationPeriods: 1,
            treatMissingData: TreatMissingData.NOT_BREACHING,
          }
        : {
            comparisonOperator: ComparisonOperator.LESS_THAN_THRESHOLD,
            evaluationPeriods: missing,
            treatMissingData: TreatMissingData.BREACHING,
          }),
    });
  }
}
