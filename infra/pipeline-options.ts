// Made of src/core/deployment/config.ts and docs/pipeline-yaml.md by `npm run schemas`.

export interface PipelineOptions {
  /**
   * name of the stack; `-c stack=` and `MILVUS_BACKUP_STACK` win over it
   */
  stack?: string;
  /**
   * days that plans, receipts and logs are kept; `-c retentionDays=` wins over it. More than the longest restore takes: without its plan it cannot go on
   */
  retentionDays?: number;
  environments?: {
    [k: string]: {
      /**
       * for people
       */
      description?: string;
      /**
       * where the functions' own roles may read Milvus's data, and stage restores: for an environment with `useIAM: true` and no role
       */
      milvusBuckets?: (
        | string
        | {
            bucket: string;
            rootPath: string;
          }
      )[];
      /**
       * where they may read, write and delete backups, likewise
       */
      backupBuckets?: (
        | string
        | {
            bucket: string;
            rootPath: string;
          }
      )[];
      /**
       * where exports may be written to with those roles
       */
      exportBuckets?: (
        | string
        | {
            bucket: string;
            rootPath: string;
          }
      )[];
      /**
       * roles that the functions may assume: for an environment with `roleArn`
       */
      roleArns?: string[];
      /**
       * customer-managed keys of those buckets; the keys' own policies have to let the account's roles use them
       */
      kmsKeyArns?: string[];
    } | null;
  };
  allowedEnvironments?: {
    /**
     * backed up
     *
     * @minItems 1
     */
    backup?: string[];
    /**
     * restored into, by drills and triggers too
     *
     * @minItems 1
     */
    restore?: string[];
    /**
     * copied into the backup bucket of; exported into the store of
     *
     * @minItems 1
     */
    transfer?: string[];
    /**
     * whose backups restores, drills, copies, exports, verifications read
     *
     * @minItems 1
     */
    read?: string[];
  };
  /**
   * asymmetric KMS key that signs every backup of this deployment (trust.md)
   */
  signBackups?: string;
  /**
   * further keys by which `restore --signed-by` may have signatures verified
   */
  trustedKeyArns?: string[];
  schedules?: {
    /**
     * letters, digits, `-` and `_`; backups are called `<name>_2026_11_21_03_00_00`, by the scheduled time in UTC
     */
    name: string;
    /**
     * what to back up
     */
    environment: string;
    /**
     * `rate(12 hours)` or `cron(0 3 * * ? *)` (minutes hours day-of-month month day-of-week year)
     */
    expression: string;
    /**
     * of the cron expression, and of the days that `keep` counts: `Europe/Berlin`
     */
    timeZone?: string;
    /**
     * `coll`, `db.coll` or `db.*`
     */
    collections?: string[];
    /**
     * as in `create`: `flush`, `bulk_flush`, `serial_flush`, `skip_flush`, `meta_only`
     */
    strategy?: "flush" | "bulk_flush" | "serial_flush" | "skip_flush" | "meta_only";
    /**
     * store only what the backup root does not hold yet of this Milvus (incremental.md)
     */
    incremental?: boolean;
    /**
     * users with their hashed passwords, roles and grants too (rbac.md)
     */
    rbac?: boolean;
    /**
     * `30d`, or `{ for: 30d, mode: compliance }`: nobody deletes its backups before (locked-backups.md)
     */
    lock?:
      | string
      | {
          for: string;
          mode?: "governance" | "compliance";
        };
    /**
     * false keeps it and its retention, and starts nothing
     */
    enabled?: boolean;
    keep?: {
      /**
       * the newest so many
       */
      last?: number;
      /**
       * the newest of each of the newest so many days that have one
       */
      daily?: number;
      /**
       * the same for weeks, from Monday
       */
      weekly?: number;
      /**
       * the same for months
       */
      monthly?: number;
      /**
       * how long what a failed backup left stays: hours, or `36h`, `2d`
       */
      failed?: number | string;
    };
    verify?:
      | string
      | {
          schedule: string;
          readData?: true | string;
          rows?: true | string;
        };
    /**
     * `26h`, `90m`, `2d`: an alarm where there was no complete backup for so long (1 minute to 7 days)
     */
    alarmAfter?: string;
  }[];
  drills?: {
    /**
     * letters, digits, `-` and `_`; no schedule may have the same
     */
    name: string;
    /**
     * as for schedules
     */
    expression: string;
    /**
     * as for schedules
     */
    timeZone?: string;
    /**
     * the schedule whose backups are drilled, or `any`
     */
    of: "any" | string;
    /**
     * with `of: any`: the environment whose backups are meant
     */
    from?: string;
    /**
     * `newest` or `random`
     */
    pick?: "newest" | "random";
    /**
     * whose Milvus it is restored into: it needs room for the collections, and memory for their indexes, as long as it lasts
     */
    environment: string;
    /**
     * `environment` once more, where that is a protected one
     */
    confirm?: string;
    /**
     * `coll`, `db.coll` or `db.*`, as in the backup
     */
    collections?: string[];
    /**
     * false starts nothing
     */
    enabled?: boolean;
    /**
     * `26h`, `5d`: an alarm where no drill ended well for so long (1 minute to 7 days, which is what CloudWatch looks back)
     */
    alarmAfter?: string;
  }[];
  restoreTriggers?: {
    /**
     * letters, digits, `-` and `_`
     */
    name: string;
    /**
     * with the backups
     */
    bucket: string;
    /**
     * the root path of the backups: `backup`
     */
    prefix?: string;
    /**
     * 12 digits in quotes: the account whose events are forwarded
     */
    account?: string;
    /**
     * the region of the bucket, whose events are forwarded too
     */
    region?: string;
    /**
     * names of backups, with `*` and `?`
     */
    backups?: string;
    enabled?: boolean;
    /**
     * true: backups of `account` are restored whoever wrote them
     */
    unsigned?: true;
    /**
     * to restore into
     */
    environment: string;
    /**
     * the environment whose backup bucket is `bucket`
     */
    from?: string;
    /**
     * those of the backup: `coll`, `db.coll` or `db.*`; required with `account` or `dropExisting`, else all where absent
     */
    collections?: string[];
    /**
     * appended to every name
     */
    suffix?: string;
    /**
     * other names, by the name in the backup: `{"coll": "shop.coll2", "shop.*": "shop2.*"}`
     */
    renames?: {
      [k: string]: string | string[];
    };
    /**
     * of what is restored only this, by its names in the target: `coll`, `db.coll` or `db.*`
     */
    targets?: string[];
    /**
     * true: a target of that name is replaced, once the new one is complete
     */
    dropExisting?: boolean;
    /**
     * true: what is replaced stays, under a name that the result tells
     */
    keepReplaced?: boolean;
    /**
     * true: import into collections that are there already
     */
    skipCreate?: boolean;
    /**
     * with `skipCreate`: `add` makes the backup's indexes on fields that have none, `replace` also puts them in the place of others (how)
     */
    existingIndexes?: "keep" | "add" | "replace";
    /**
     * true: schemas, indexes and aliases without rows
     */
    metadataOnly?: boolean;
    /**
     * false: recreate no index, and load nothing
     */
    indexes?: boolean;
    /**
     * shards of every collection; as in the backup where absent
     */
    shards?: number;
    /**
     * no collection gets more shards than these
     */
    maxShards?: number;
    /**
     * description of every collection; as in the backup where absent
     */
    description?: string;
    /**
     * shards and description of single collections, by name in the target: `{"shop.coll2": {"shards": 4, "description": "copy"}}`
     */
    overrides?: {
      [k: string]: {
        /**
         * its shards, in place of `shards` and `maxShards`
         */
        shards?: number;
        /**
         * its description
         */
        description?: string;
      };
    };
    /**
     * true: vector indexes are AUTOINDEX with their metric
     */
    autoIndex?: boolean;
    /**
     * properties of collections that are left out
     */
    skipProperties?: string[];
    /**
     * parameters of fields that are left out
     */
    skipFieldParams?: string[];
    /**
     * parameters of indexes that are left out
     */
    skipIndexParams?: string[];
    /**
     * false sets no alias
     */
    aliases?: boolean;
    /**
     * true: users, roles and grants of the backup too, where the target lacks them; only beside `signedBy` (rbac.md)
     */
    rbac?: boolean;
    /**
     * false: load nothing
     */
    load?: boolean;
    /**
     * how far contents are compared with the backup first: `none`, `size`, `content`
     */
    verify?: "none" | "size" | "content";
    /**
     * KMS key that signed the backups (`signBackups` of who makes them); required with `account`, in place of `unsigned`
     */
    signedBy?: string;
    /**
     * `import`: rows of small partitions are not inserted (why they are)
     */
    smallPartitions?: "import" | "insert";
    /**
     * `environment` once more, where that is a protected one
     */
    confirm?: string;
  }[];
  reports?: {
    /**
     * letters, digits, `-` and `_`
     */
    name: string;
    /**
     * whose backups, and whose schedules
     */
    environment: string;
    /**
     * `rate(1 hour)` or `cron(0 7 * * ? *)`, as for schedules
     */
    expression: string;
    /**
     * of the cron expression
     */
    timeZone?: string;
    enabled?: boolean;
  }[];
  api?: {
    /**
     * what it backs up and restores into, and whose backups it lists and deletes: one, as with `server`; others have a deployment of their own
     */
    environment: string;
  };
  network?: {
    vpcId: string;
    /**
     * private subnets, in two zones or more
     *
     * @minItems 1
     * @maxItems 16
     */
    subnetIds: string[];
    /**
     * made where absent: the output `FunctionsSecurityGroupId` names it, and Milvus's group has to let it in on its port
     *
     * @minItems 1
     * @maxItems 5
     */
    securityGroupIds?: string[];
  };
  /**
   * batches of one execution that are copied at once, each by an invocation of `copy-segments`
   */
  maxConcurrency?: number;
  functions?: {
    [k: string]: {
      /**
       * 1024 to 10240, where a function is killed (`StepKilled`); CPU comes with it
       */
      memoryMiB?: number;
      /**
       * invocations that may run at once, taken out of the account's: others cannot take them, nor does it take theirs
       */
      reservedConcurrency?: number;
    };
  };
  /**
   * customer-managed key of whatever the deployment keeps
   */
  encryptionKeyArn?: string;
  /**
   * customer-managed key of the pipeline's own bucket
   */
  workBucketKeyArn?: string;
  /**
   * that of the log groups
   */
  logsKeyArn?: string;
  /**
   * that of the secrets that `env set` makes
   */
  environmentsKeyArn?: string;
  alarms?: {
    /**
     * subscribed to the topic; each has to confirm once
     */
    emails?: string[];
    /**
     * customer-managed key of the topic; its policy lets CloudWatch and EventBridge use it
     */
    topicKeyArn?: string;
    /**
     * a CloudWatch dashboard named after the stack
     */
    dashboard?: boolean;
  };
}
