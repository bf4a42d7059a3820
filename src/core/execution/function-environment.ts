/** The environment variables that the deployment sets and functions read. */
export interface FunctionEnvironment {
  /** Name of the work bucket. */
  readonly WORK_BUCKET: string;
  /** Names of the environments' secrets begin with it. */
  readonly ENVIRONMENTS_PREFIX: string;
  /** Name of the deployment. */
  readonly STACK_NAME: string;
  /** Path of the functions' roles, which their sessions do not tell: `/milvus-backup/<stack>/`. */
  readonly ROLE_PATH: string;
  /** JSON of `AllowedEnvironments`. */
  readonly ALLOWED_ENVIRONMENTS: string;
  /** ARN of the KMS key that Finalize Backup signs with; absent where nothing is signed. */
  readonly SIGN_BACKUPS?: string;
  /** What Start Triggered Restore and Serve API start, and what a drill's restore runs in; no other function has it. */
  readonly RESTORE_STATE_MACHINE_ARN?: string;
  /** Whose backups Write Report takes for those of this deployment's schedules, and what Serve API starts; no other function has it. */
  readonly BACKUP_STATE_MACHINE_ARN?: string;
  /** The environment that Serve API is about; no other function has it. */
  readonly API_ENVIRONMENT?: string;
}
