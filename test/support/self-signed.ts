import type { Folder } from "./folder.ts";

/** A certificate that nobody has signed but itself, for the name hub.test and for tests only; valid for 100 years. */
const CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIBkjCCATigAwIBAgIUTrx1PJODOEuI13GkbhXS3NtIESswCgYIKoZIzj0EAwIw
EzERMA8GA1UEAwwIaHViLnRlc3QwIBcNMjYxMTIyMjIzMDQ0WhgPMjEyNjEwMjky
MjMwNDRaMBMxETAPBgNVBAMMCGh1Yi50ZXN0MFkwEwYHKoZIzj0CAQYIKoZIzj0D
AQcDQgAES6yVfrgY1l9eauTi/9zCAoVDEvsqUQYk67W8XNkedI7C2zBylovYDMZ9
vWJ4Db9m9suBlRwVtk3qGdX+9038FKNoMGYwHQYDVR0OBBYEFNDmTnxLy3uxDGrp
iz2pnDjAwygoMB8GA1UdIwQYMBaAFNDmTnxLy3uxDGrpiz2pnDjAwygoMA8GA1Ud
EwEB/wQFMAMBAf8wEwYDVR0RBAwwCoIIaHViLnRlc3QwCgYIKoZIzj0EAwIDSAAw
RQIgYsih2C5YR3PVTg2spOc5UOGE/Hc4MBIp01VX2e6jq9sCIQCxbEQtyquAouIm
VeaZBPbI3Cs0MDNjfU+lZR+6p2O50g==
-----END CERTIFICATE-----
`;

const KEY = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg117OIjth0ed6Vk7K
GUEJ4rwBLyf4KOW9TlZtCRgprO+hRANCAARLrJV+uBjWX15q5OL/3MIChUMS+ypR
BiTrtbxc2R50jsLbMHKWi9gMxn29YngNv2b2y4GVHBW2TeoZ1f73TfwU
-----END PRIVATE KEY-----
`;

/** Writes certificate and key into a folder. */
export async function writeSelfSigned(
  folder: Folder,
): Promise<{ readonly cert: string; readonly key: string }> {
  const files = { cert: folder.file("cert.pem"), key: folder.file("key.pem") };
  await Bun.write(files.cert, CERTIFICATE);
  await Bun.write(files.key, KEY);
  return files;
}
