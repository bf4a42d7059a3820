import { nameAndMessage } from "../report-error.ts";
import { type Code, codes } from "./answers.ts";

const codesByName: Readonly<Record<string, Code>> = {
  InvalidInput: codes.parameterError,
  Usage: codes.parameterError,
  CollectionNotFound: codes.parameterError,
  UnsupportedByTarget: codes.notSupported,
  AwsAccessDenied: codes.noPermission,
  BackupLocked: codes.noPermission,
  EnvironmentNotAllowed: codes.noPermission,
  EnvironmentProtected: codes.noPermission,
  MilvusUnauthenticated: codes.noPermission,
  NoAwsCredentials: codes.noPermission,
  StoreAccessDenied: codes.noPermission,
};

/**
 * What an answer says of what went wrong. @param others the code of errors that have none of their own
 */
export function failureAnswer(
  error: unknown,
  others: Readonly<Record<string, Code>> = {},
): { readonly code: Code; readonly msg: string } {
  const { name, message } = nameAndMessage(error);
  const code = others[name] ?? codesByName[name] ?? codes.fail;
  return { code, msg: code === codes.parameterError ? message : `${name}: ${message}` };
}
