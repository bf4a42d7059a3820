import { generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";
import { isIPv4 } from "node:net";

/** A certificate and its private key, in PEM. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/** A certificate authority of a test's own. Everything it signs holds for one day, with a P-256 key. */
export interface Authority {
  /** In PEM. */
  readonly cert: string;
  /** @param names host names and IPv4 addresses that the certificate stands for */
  issue(commonName: string, names?: readonly string[]): Certificate;
}

export function certificateAuthority(commonName: string): Authority {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const cert = certificate({
    subject: commonName,
    publicKey,
    issuer: commonName,
    signWith: privateKey,
    extensions: [isAuthority],
  });
  return {
    cert,
    issue(subject, names = []) {
      const own = generateKeyPairSync("ec", { namedCurve: "P-256" });
      const extensions = names.length > 0 ? [standsFor(names)] : [];
      return {
        cert: certificate({ subject, publicKey: own.publicKey, issuer: commonName, signWith: privateKey, extensions }),
        key: own.privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
      };
    },
  };
}

/** X.509 version 3 (RFC 5280), signed with ECDSA and SHA-256. */
function certificate(of: {
  subject: string;
  publicKey: KeyObject;
  issuer: string;
  signWith: KeyObject;
  extensions: readonly Buffer[];
}): string {
  const day = 86_400_000;
  const validity = sequence(time(new Date(Date.now() - day / 2)), time(new Date(Date.now() + day / 2)));
  const toBeSigned = sequence(
    element(0xa0, integer(Buffer.from([2]))),
    integer(Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    ecdsaWithSha256,
    name(of.issuer),
    validity,
    name(of.subject),
    of.publicKey.export({ type: "spki", format: "der" }),
    ...(of.extensions.length > 0 ? [element(0xa3, sequence(...of.extensions))] : []),
  );
  const signature = sign("sha256", toBeSigned, of.signWith);
  const der = sequence(toBeSigned, ecdsaWithSha256, element(0x03, Buffer.concat([Buffer.from([0]), signature])));
  const lines = der.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}

/** An element of DER: tag, length, content. */
function element(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return element(0x30, ...parts);
}

function integer(bytes: Buffer): Buffer {
  return element(0x02, bytes);
}

/** An object identifier by its content bytes, in hex. */
function identifier(hex: string): Buffer {
  return element(0x06, Buffer.from(hex, "hex"));
}

function name(commonName: string): Buffer {
  return sequence(element(0x31, sequence(identifier("550403"), element(0x0c, Buffer.from(commonName, "utf8")))));
}

function time(date: Date): Buffer {
  const digits = date.toISOString().replace(/[-:T]/g, "").slice(2, 14);
  return element(0x17, Buffer.from(`${digits}Z`, "ascii"));
}

function extension(oid: string, critical: boolean, value: Buffer): Buffer {
  return sequence(identifier(oid), ...(critical ? [element(0x01, Buffer.from([0xff]))] : []), element(0x04, value));
}

/** Subject alternative names: the only ones that Go and Node look at. */
function standsFor(names: readonly string[]): Buffer {
  const general = names.map((it) =>
    isIPv4(it) ? element(0x87, Buffer.from(it.split(".").map(Number))) : element(0x82, Buffer.from(it, "ascii")),
  );
  return extension("551d11", false, sequence(...general));
}

const ecdsaWithSha256 = sequence(identifier("2a8648ce3d040302"));
const isAuthority = extension("551d13", true, sequence(element(0x01, Buffer.from([0xff]))));
