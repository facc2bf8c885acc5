import { linux, type PlatformRules } from '../stack/platform.js'

/** The systems whose rules a host can have. Linux's were measured, the others' reported and not tried. */
export type Platform = 'linux' | 'darwin' | 'win32'

export const platforms: Readonly<Record<Platform, PlatformRules>> = {
  linux,
  // net.inet.udp.maxdgram.
  darwin: {
    ...linux,
    hearsUnjoined: false,
    leaksTtl0: false,
    maxPayload: { IPv4: 9216, IPv6: 9216 },
  },
  win32: {
    ...linux,
    bindsToGroup: false,
    hearsUnjoined: false,
    leaksTtl0: false,
    loopbackOfReceiver: true,
    zone: 'number',
  },
}
