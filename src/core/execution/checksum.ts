/** `crc64nvme` of `crc64nvme:AAAA=`: only checksums of one kind compare. */
export function kindOfChecksum(checksum: string): string {
  return checksum.slice(0, checksum.indexOf(":"));
}
