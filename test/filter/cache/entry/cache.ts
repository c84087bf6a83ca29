// @ts-nocheck AssemblyScript.
/** Answer caches of different budgets; an answer is known by its TTL. */
import { Answer, newAnswer, release, retain } from "../../../../filter/answer/answer";
import { AnswerCache, selector } from "../../../../filter/answer/answer-cache";
import { Waiter, WaitList } from "../../../../filter/cache/wait-list";
import { NameKey, seedNameHashes } from "../../../../filter/wire/name";

const input: usize = heap.alloc(1 << 16);
const key = new NameKey();
let cache = new AnswerCache(1 << 20);
let held: Answer | null = null;

export function inputAt(): usize {
  return input;
}
export function outputAt(): usize {
  return input;
}
export function open(budget: u32): void {
  seedNameHashes(0x5eed);
  cache = new AnswerCache(budget);
}
/** The name at `inputAt` is what the functions below are about. */
export function setKey(length: u32): void {
  key.set(input, length);
}
export function put(view: u64, type: u32, dnssec: u32, checkingDisabled: u32, size: u32, mark: u32): void {
  const answer = newAnswer(size, 0, 0, 0, 0);
  answer.ttl = mark;
  cache.put(view, key, selector(type, dnssec != 0, checkingDisabled != 0), answer);
  release(answer);
}
/** The mark of the answer that is found, or 0. */
export function find(view: u64, type: u32, dnssec: u32, checkingDisabled: u32): u32 {
  const answer = cache.find(view, key, selector(type, dnssec != 0, checkingDisabled != 0));
  return answer === null ? 0 : answer.ttl;
}
/** Holds the answer that is found as a query does; its references then. */
export function hold(view: u64, type: u32): u32 {
  const answer = cache.find(view, key, selector(type, false, false));
  held = answer === null ? null : retain(answer);
  return answer === null ? 0 : answer.references;
}
/** Mark and references of the answer that is held. */
export function heldMark(): u32 {
  const answer = held;
  return answer === null ? 0 : answer.ttl;
}
export function heldReferences(): u32 {
  const answer = held;
  return answer === null ? 0 : answer.references;
}
export function letGo(): void {
  release(held);
  held = null;
}
/** Octets that an answer with a body and a name of these sizes is counted with. */
export function answerSize(size: u32): u32 {
  const answer = newAnswer(size, 0, 0, 0, 0);
  const counted = answer.size;
  release(answer);
  return counted;
}
export function clear(): void {
  cache.clear();
}
export function count(): u32 {
  return cache.count;
}
export function octets(): u32 {
  return <u32>cache.bytes;
}
export function evictions(): u64 {
  return cache.evictions;
}

class Numbered extends Waiter {
  constructor(readonly number: u32) {
    super();
  }
}
const waiters: StaticArray<Numbered> = [new Numbered(1), new Numbered(2), new Numbered(3), new Numbered(4)];
const list = new WaitList();
const taken = new WaitList();

export function wait(number: u32): void {
  list.push(waiters[number - 1]);
}
export function shift(fromTaken: u32): u32 {
  const waiter = fromTaken ? taken.shift() : list.shift();
  return waiter === null ? 0 : changetype<Numbered>(waiter).number;
}
export function firstWaiter(): u32 {
  const waiter = list.first;
  return waiter === null ? 0 : changetype<Numbered>(waiter).number;
}
export function takeAll(): void {
  list.takeAll(taken);
}
export function nobodyWaits(): u32 {
  return list.isEmpty ? 1 : 0;
}
