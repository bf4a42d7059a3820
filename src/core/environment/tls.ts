import type { StorageSettings } from "./environment.ts";
import type { GivenValues } from "./keys.ts";

const keysOf = {
  primary: { useSSL: "minio.useSSL", iamEndpoint: "minio.iamEndpoint" },
  backup: { useSSL: "minio.backupUseSSL", iamEndpoint: "minio.backupIamEndpoint" },
} as const;

/** The host itself: there is no wire on which anybody could listen. */
const loopback = /^(?:localhost|127(?:\.\d{1,3}){3}|\[?::1\]?)$/i;

/**
 * S3 itself and whatever is signed with a role's credentials is asked by TLS only: session tokens and data would be anybody's on the wire.
 * A store on the host itself, an emulator, may do without.
 * @throws InvalidEnvironment that names the key
 */
export function checkTls(values: GivenValues, side: keyof typeof keysOf, storage: StorageSettings): void {
  const { type, address, useSSL, credentials } = storage;
  const keys = keysOf[side];
  const why = type === "aws" ? "storageType: aws" : credentials.kind === "iam" ? "a role (useIAM, roleArn)" : undefined;
  if (why !== undefined && !useSSL && !loopback.test(address)) {
    throw values.error(
      keys.useSSL,
      `is false, and must be true with ${why}: ${address} is not this machine, and keys and data are not sent to it without TLS (port is mostly 443 then)`,
    );
  }
  if (credentials.kind !== "iam" || credentials.roleArn === "" || credentials.iamEndpoint === "") return;
  const url = URL.canParse(credentials.iamEndpoint) ? new URL(credentials.iamEndpoint) : undefined;
  if (url?.protocol === "http:" && !loopback.test(url.hostname)) {
    throw values.error(
      keys.iamEndpoint,
      "must begin with https://: the keys of the role come from there, and are not asked for without TLS",
    );
  }
}
