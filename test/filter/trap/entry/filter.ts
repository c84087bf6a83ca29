// @ts-nocheck AssemblyScript.
/**
 * The filter with two trap doors that the real one has not: octets of a client that hold the name `here.trap.test`, and
 * octets on their way through the pipe that hold `pipe.trap.test`, end the VM.
 */
import { Buffer, enter, leave, readBuffer, readLength, Text } from "../../../../filter/host/host";
import {
  proxy_on_downstream_data as onDownstreamData,
  proxy_on_request_body as onRequestBody,
} from "../../../../filter/index";

// What is exported below stands before what this would export by the same name.
export * from "../../../../filter/index";

const HERE = new Text("\x04here\x04trap\x04test");
const PIPE = new Text("\x04pipe\x04trap\x04test");

/** The network filter's octets: DNS over TCP and TLS, and HTTP/2 with datagrams or DoH messages in it. */
export function proxy_on_downstream_data(context: u32, size: u32, ended: u32): u32 {
  trapAt(HERE, Buffer.NetworkDownstreamData, size);
  return onDownstreamData(context, size, ended);
}

/** The HTTP filter's: a DoH request, or the pipe's frames. */
export function proxy_on_request_body(context: u32, size: u32, ended: u32): u32 {
  trapAt(HERE, Buffer.HttpRequestBody, size);
  trapAt(PIPE, Buffer.HttpRequestBody, size);
  return onRequestBody(context, size, ended);
}

function trapAt(name: Text, buffer: Buffer, size: u32): void {
  enter();
  const bytes = readBuffer(buffer, 0, size);
  for (let at: u32 = 0; bytes != 0 && at + name.length <= readLength; at++) {
    if (memory.compare(bytes + at, name.at, name.length) == 0) unreachable();
  }
  leave();
}
