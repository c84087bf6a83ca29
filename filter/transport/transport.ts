// The ways in which queries come, as protos/verdict.proto numbers them.

export const enum Transport {
  Udp = 0,
  Tcp = 1,
  DoT = 2,
  DoH = 3,
  DoH3 = 4,
}
