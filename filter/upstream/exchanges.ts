// Getting an answer from an upstream: which server is asked, when another one is tried, and what counts as an answer.
// Everything is bounded: two tries, one and a half seconds each, four seconds in all (RFC 7766, section 6.2.3 lets a
// stub wait five).

import { Answer, release } from "../answer/answer";
import { Instead } from "../answer/asked";
import { Reading, ResponseReader } from "../answer/read";
import { Buffer, Headers, httpCall, isOkResponse, readBuffer, readLength, recordMetric, Text } from "../host/host";
import { releaseRules } from "../verdict/verdict";
import { NameKey } from "../wire/name";
import { Rcode, Type } from "../wire/types";
import { Writer } from "../wire/writer";
import { Exchange, TRACEPARENT_SIZE } from "./exchange";
import { ExchangeTable } from "./exchange-table";
import { Mirrored } from "./mirrored";
import { bucketOf, MAX_PIPES, Outstanding, Pipe } from "./pipe";
import { writeQuery } from "./query-writer";
import { Server, Strategy, Upstream } from "./server";

/** Is told what became of an exchange: an answer, whose reference it gets, or null where none could be had. */
export interface ExchangeListener {
  exchanged(exchange: Exchange, answer: Answer | null): void;
  /** The same of one that is a mirror. */
  mirrored(exchange: Exchange, answer: Answer | null): void;
}

const DOH_CLUSTER = new Text("dns_doh_out");
const METHOD = new Text(":method");
const POST = new Text("POST");
const PATH = new Text(":path");
const AUTHORITY = new Text(":authority");
const CONTENT_TYPE = new Text("content-type");
const ACCEPT = new Text("accept");
const DNS_MESSAGE = new Text("application/dns-message");
const UPSTREAM_CLUSTER = new Text("x-dns-cluster");

const writer = new Writer();
const headers = new Headers(2048);

@final
export class Exchanges {
  private readonly table: ExchangeTable = new ExchangeTable();
  private readonly pool: Array<Exchange> = new Array<Exchange>();
  private readonly pipes: Array<Pipe> = new Array<Pipe>();

  constructor(
    private readonly listener: ExchangeListener,
    private readonly reader: ResponseReader,
    private readonly tryMicroseconds: u64,
    private readonly maxTries: u32,
    private readonly totalMicroseconds: u64,
  ) {}

  /** Questions under way. */
  get count(): u32 {
    return this.table.count;
  }

  /** The exchange under way that will answer this question too, or null. */
  underWay(view: u64, key: NameKey, selector: u32): Exchange | null {
    return this.table.find(view, key, selector);
  }

  /** A new exchange for this question, not sent yet: the caller adds whoever waits, and calls `start`. */
  prepare(upstream: Upstream, view: u64, key: NameKey, selector: u32, type: u32, dnssec: bool, cd: bool): Exchange {
    const exchange = this.pool.length > 0 ? this.pool.pop() : new Exchange();
    exchange.upstream = upstream;
    exchange.view = view;
    exchange.selector = selector;
    exchange.ecsLength = 0;
    exchange.traced = false;
    exchange.tries = 0;
    exchange.key.copy(key);
    const asked = exchange.asked;
    asked.instead = Instead.Nothing;
    asked.key.copy(key);
    asked.type = type;
    asked.dnssec = dnssec;
    asked.checkingDisabled = cd;
    this.table.add(exchange);
    return exchange;
  }

  start(exchange: Exchange, now: u64): void {
    exchange.ends = now + this.totalMicroseconds;
    exchange.server = null;
    this.attempt(exchange, now);
  }

  /** Asks each server of the upstream whose time has come whether it is well. */
  check(upstream: Upstream, now: u64): void {
    for (let i = 0; i < upstream.servers.length; i++) {
      const server = unchecked(upstream.servers[i]);
      if (now < server.checkAt) continue;
      server.checkAt = now + upstream.checkInterval;
      const exchange = this.fresh(upstream);
      const name = upstream.checkName;
      exchange.asked.key.set(changetype<usize>(name), name.byteLength);
      exchange.asked.type = Type.NS;
      exchange.asked.dnssec = false;
      exchange.asked.checkingDisabled = false;
      exchange.isCheck = true;
      this.attemptAt(exchange, server, now);
    }
  }

  /** An exchange that asks another upstream what `first` asks, but for its client's subnet: the caller calls `start` for both. */
  mirror(first: Exchange, upstream: Upstream, mirrored: Mirrored): Exchange {
    const mirror = this.fresh(upstream);
    mirror.tries = 0;
    mirror.asked.copy(first.asked);
    mirror.isMirror = true;
    mirror.mirrored = mirrored;
    first.mirrored = mirrored;
    return mirror;
  }

  /** An exchange that no question can join, of a single try. */
  private fresh(upstream: Upstream): Exchange {
    const exchange = this.pool.length > 0 ? this.pool.pop() : new Exchange();
    exchange.upstream = upstream;
    exchange.ecsLength = 0;
    exchange.traced = false;
    exchange.tries = this.maxTries;
    return exchange;
  }

  // ---- trying ------------------------------------------------------------------------------------------------------

  /** Asks a server, another than the last if there is one; the exchange ends where none can be asked. */
  private attempt(exchange: Exchange, now: u64): void {
    const upstream = exchange.upstream;
    while (upstream !== null && exchange.tries < this.maxTries && now < exchange.ends) {
      const server = upstream.choose(now, exchange.server);
      if (server === null) break;
      exchange.tries++;
      if (this.send(exchange, upstream, server, now)) {
        if (upstream.strategy == Strategy.Race && exchange.tries == 1) this.race(exchange, upstream, server, now);
        return;
      }
      server.failed(now, true);
    }
    this.finish(exchange, null, now);
  }

  private send(exchange: Exchange, upstream: Upstream, server: Server, now: u64): bool {
    exchange.server = server;
    exchange.sentAt = now;
    exchange.tryEnds = now + this.tryMicroseconds;
    const isPadded = upstream.isPadded && upstream.isEncrypted;
    const sent = upstream.isHttp
      ? this.sendHttp(exchange, server, isPadded)
      : this.sendPipe(exchange, server, isPadded);
    if (sent) this.table.schedule(exchange);
    return sent;
  }

  /** Asks this server and no other. */
  private attemptAt(exchange: Exchange, server: Server, now: u64): void {
    const upstream = exchange.upstream;
    if (upstream !== null && this.send(exchange, upstream, server, now)) return;
    server.failed(now, true);
    this.finish(exchange, null, now);
  }

  /** Asks a second server too, unless one has been asked: an exchange that is sent again may have its rival still. */
  private race(exchange: Exchange, upstream: Upstream, first: Server, now: u64): void {
    if (exchange.rival !== null) return;
    const server = upstream.choose(now, first);
    if (server === null || server === first) return;
    const rival = this.fresh(upstream);
    rival.asked.copy(exchange.asked);
    memory.copy(rival.ecs, exchange.ecs, exchange.ecsLength);
    rival.ecsLength = exchange.ecsLength;
    memory.copy(rival.traceparent, exchange.traceparent, TRACEPARENT_SIZE);
    rival.traced = exchange.traced;
    rival.leader = exchange;
    exchange.rival = rival;
    this.attemptAt(rival, server, now);
  }

  private sendPipe(exchange: Exchange, server: Server, isPadded: bool): bool {
    const pipe = this.pipeWithRoom(server);
    if (pipe === null) return false;
    exchange.id = pipe.freeId();
    exchange.asked.id = exchange.id;
    writeQuery(writer, exchange, isPadded);
    return pipe.send(exchange, writer.at, writer.length);
  }

  private pipeWithRoom(server: Server): Pipe | null {
    let count = 0;
    for (let i = 0; i < this.pipes.length; i++) {
      const pipe = unchecked(this.pipes[i]);
      if (pipe.server !== server) continue;
      count++;
      if (!pipe.hasRoom) continue;
      return pipe.stream.token != 0 || pipe.open() ? pipe : null;
    }
    if (count == MAX_PIPES) return null;
    const pipe = new Pipe(server);
    if (!pipe.open()) return null;
    this.pipes.push(pipe);
    return pipe;
  }

  private sendHttp(exchange: Exchange, server: Server, isPadded: bool): bool {
    // RFC 8484, section 4.1: id 0, so that equal questions are equal requests.
    exchange.asked.id = 0;
    writeQuery(writer, exchange, isPadded);
    headers.clear();
    headers.addText(METHOD, POST);
    headers.addText(PATH, server.path);
    headers.addText(AUTHORITY, server.authority);
    headers.addText(CONTENT_TYPE, DNS_MESSAGE);
    headers.addText(ACCEPT, DNS_MESSAGE);
    headers.addText(UPSTREAM_CLUSTER, server.cluster);
    const timeout = <u32>(this.tryMicroseconds / 1000);
    const token = httpCall(DOH_CLUSTER.at, DOH_CLUSTER.length, headers, writer.at, writer.length, timeout);
    if (token == 0) return false;
    this.table.addToken(exchange, token);
    return true;
  }

  // ---- answers -----------------------------------------------------------------------------------------------------

  /** A message on a gRPC stream; false where the stream is no pipe. */
  onPipeMessage(token: u32, message: usize, length: u32, now: u64): bool {
    const pipe = this.pipeOf(token);
    if (pipe === null) return false;
    if (length < 2) return true;
    const found = pipe.find(bswap<u16>(load<u16>(message)));
    if (found === null) return true;
    const exchange = changetype<Exchange>(found);
    const reading = this.reader.read(message, length, exchange.asked, true, now);
    if (reading == Reading.NotOurs) return true;
    pipe.answered++;
    pipe.answeredAt = now;
    pipe.remove(exchange);
    this.read(exchange, reading, now);
    return true;
  }

  /** A gRPC stream ended; false where it is no pipe. */
  onPipeClosed(token: u32, now: u64): bool {
    const pipe = this.pipeOf(token);
    if (pipe === null) return false;
    pipe.stream.token = 0;
    // A server that answered and then closed was idle or busy, not ill: RFC 7766, section 6.2.4.
    if (pipe.answered == 0) pipe.server.failed(now, false);
    this.abandon(pipe, pipe.answered > 0, now);
    return true;
  }

  /** An HTTP call ended; false where it is none of ours. `headerCount` is 0 where there is no response. */
  onHttpResponse(token: u32, headerCount: u32, bodySize: u32, now: u64): bool {
    const exchange = this.table.takeToken(token);
    if (exchange === null) return false;
    const body =
      headerCount != 0 && isOkResponse(DNS_MESSAGE) ? readBuffer(Buffer.HttpCallResponseBody, 0, bodySize) : 0;
    const reading = body == 0 ? Reading.Unusable : this.reader.read(body, readLength, exchange.asked, false, now);
    this.read(exchange, reading == Reading.NotOurs ? Reading.Unusable : reading, now);
    return true;
  }

  private read(exchange: Exchange, reading: Reading, now: u64): void {
    this.table.unschedule(exchange);
    const server = exchange.server;
    const upstream = exchange.upstream;
    if (server === null || upstream === null) return;
    const answer = this.reader.answer;
    if (reading == Reading.Unusable || answer === null) {
      server.failed(now, true);
      this.attempt(exchange, now);
      return;
    }
    server.succeeded(now - exchange.sentAt);
    exchange.answeredBy = server;
    const leader = exchange.leader;
    if (leader !== null) leader.answeredBy = server;
    // AD from an upstream that anybody can speak for says nothing (RFC 6840, section 5.7).
    if (!upstream.isEncrypted) answer.flags = 0;
    recordMetric(upstream.latencyMetric, (now - exchange.sentAt) / 1000);
    if (answer.rcode == Rcode.NOERROR || answer.rcode == Rcode.NXDOMAIN || upstream.servers.length == 1) {
      this.finish(exchange, answer, now);
      return;
    }
    // Another server may know better than one that fails or refuses.
    release(exchange.fallback);
    exchange.fallback = answer;
    this.attempt(exchange, now);
  }

  /** Every exchange of a closed pipe is sent again, or counts as failed. */
  private abandon(pipe: Pipe, again: bool, now: u64): void {
    const orphans = pipe.outstanding;
    let bucket: u32 = 0;
    const left: Exchange[] = [];
    for (let i: u32 = 0; i < orphans; i++) {
      const orphan: Outstanding | null = pipe.anyFrom(bucket);
      if (orphan === null) break;
      bucket = bucketOf(orphan.id);
      pipe.remove(orphan);
      const exchange = changetype<Exchange>(orphan);
      exchange.isOrphan = true;
      left.push(exchange);
    }
    for (let i = 0; i < left.length; i++) {
      const exchange = unchecked(left[i]);
      // One that ended with another of them is somebody else's by now.
      if (!exchange.isOrphan) continue;
      exchange.isOrphan = false;
      this.table.unschedule(exchange);
      // The connection made progress, so trying again does too: it costs no try, only time.
      if (again && exchange.tries > 0 && exchange.leader === null && !exchange.isCheck) {
        exchange.tries--;
        exchange.server = null;
      }
      this.attempt(exchange, now);
    }
  }

  // ---- ends --------------------------------------------------------------------------------------------------------

  private finish(exchange: Exchange, answer: Answer | null, now: u64): void {
    let result = answer;
    if (result === null) {
      result = exchange.fallback;
      exchange.fallback = null;
    }
    release(exchange.fallback);
    exchange.fallback = null;
    const leader = exchange.leader;
    if (leader !== null) {
      this.recycle(exchange);
      this.rivalEnded(leader, result, now);
      return;
    }
    if (exchange.isCheck) {
      const server = exchange.server;
      const upstream = exchange.upstream;
      const isWell = result !== null && (result.rcode == Rcode.NOERROR || result.rcode == Rcode.NXDOMAIN);
      if (!isWell && server !== null && upstream !== null) server.isIll(now, upstream.checkInterval);
      release(result);
      this.recycle(exchange);
      return;
    }
    const rival = exchange.rival;
    if (rival !== null) {
      this.drop(rival);
      this.recycle(rival);
    }
    if (exchange.isMirror) this.listener.mirrored(exchange, result);
    else {
      this.table.remove(exchange);
      this.listener.exchanged(exchange, result);
    }
    this.recycle(exchange);
  }

  private recycle(exchange: Exchange): void {
    const leader = exchange.leader;
    if (leader !== null) leader.rival = null;
    exchange.leader = null;
    exchange.rival = null;
    exchange.isCheck = false;
    exchange.mirrored = null;
    exchange.isMirror = false;
    exchange.isOrphan = false;
    exchange.upstream = null;
    exchange.server = null;
    exchange.answeredBy = null;
    releaseRules(exchange.rules);
    exchange.rules = null;
    this.pool.push(exchange);
  }

  /** What a rival brought its exchange: the answer, or one in case that nobody does better. */
  private rivalEnded(leader: Exchange, result: Answer | null, now: u64): void {
    if (result === null) return;
    if (result.rcode == Rcode.NOERROR || result.rcode == Rcode.NXDOMAIN) {
      this.drop(leader);
      this.finish(leader, result, now);
      return;
    }
    release(leader.fallback);
    leader.fallback = result;
  }

  /** Waits for its answer no more. */
  private drop(exchange: Exchange): void {
    this.table.unschedule(exchange);
    if (exchange.token != 0) this.table.takeToken(exchange.token);
    const pipe = exchange.pipe;
    if (pipe !== null) pipe.remove(exchange);
    release(exchange.fallback);
    exchange.fallback = null;
  }

  /** Ends tries that have taken too long. */
  tick(now: u64): void {
    let exchange = this.table.earliest;
    while (exchange !== null && now >= exchange.tryEnds) {
      this.table.unschedule(exchange);
      this.timedOut(exchange, now);
      exchange = this.table.earliest;
    }
  }

  private timedOut(exchange: Exchange, now: u64): void {
    const server = exchange.server;
    if (server !== null) server.measured(this.tryMicroseconds);
    if (exchange.token != 0) this.table.takeToken(exchange.token);
    const pipe = exchange.pipe;
    if (pipe !== null) {
      pipe.remove(exchange);
      if (pipe.answeredAt < exchange.sentAt) {
        // It answers nobody: start afresh.
        pipe.stream.cancel();
        if (server !== null) server.failed(now, true);
        exchange.isOrphan = true;
        this.abandon(pipe, false, now);
        // It may have ended with another that was abandoned.
        if (!exchange.isOrphan) return;
        exchange.isOrphan = false;
      }
    } else if (server !== null) {
      server.failed(now, true);
    }
    this.attempt(exchange, now);
  }

  // ---- pipes -------------------------------------------------------------------------------------------------------

  private pipeOf(token: u32): Pipe | null {
    for (let i = 0; i < this.pipes.length; i++) {
      const pipe = unchecked(this.pipes[i]);
      if (pipe.stream.token == token) return pipe;
    }
    return null;
  }

  /** Closes the pipes of servers that no upstream names any more, once nothing is under way on them. */
  closeUnused(servers: Map<string, Server>): void {
    for (let i = this.pipes.length - 1; i >= 0; i--) {
      const pipe = this.pipes[i];
      if (pipe.outstanding > 0 || servers.has(clusterName(pipe.server))) continue;
      pipe.stream.cancel();
      this.pipes.splice(i, 1);
    }
  }
}

export function clusterName(server: Server): string {
  return String.UTF8.decodeUnsafe(server.cluster.at, server.cluster.length);
}
