// Answers of upstreams by (view, name, type, DO, CD).

import { Node, S3Fifo } from "../cache/s3-fifo";
import { mix, NameKey } from "../wire/name";
import { Answer, release, retain } from "./answer";

@unmanaged
class Entry extends Node {
  view: u64;
  answer: Answer;
  /** Type and flags of the question; see `selector`. */
  selector: u32;
  nameLength: u32;
}

const HEAD: usize = (offsetof<Entry>() + 7) & ~7;

/** What besides view and name makes two questions different. */
export function selector(type: u32, dnssec: bool, checkingDisabled: bool): u32 {
  return (type << 2) | ((<u32>dnssec) << 1) | <u32>checkingDisabled;
}

@final
export class AnswerCache extends S3Fifo {
  /** The answer, fresh or stale, whose reference the cache keeps; null where there is none. */
  find(view: u64, key: NameKey, selector: u32): Answer | null {
    const entry = this.entry(view, key, selector);
    if (entry === null) return null;
    this.touch(entry);
    return entry.answer;
  }

  /** Keeps the answer, in place of an older one; takes a reference of its own. */
  put(view: u64, key: NameKey, selector: u32, answer: Answer): void {
    const old = this.entry(view, key, selector);
    if (old !== null) this.remove(old);
    const entry = changetype<Entry>(heap.alloc(HEAD + key.length));
    entry.hash = answerHash(view, key, selector);
    entry.size = <u32>HEAD + key.length + answer.size;
    entry.view = view;
    entry.selector = selector;
    entry.nameLength = key.length;
    entry.answer = retain(answer);
    memory.copy(changetype<usize>(entry) + HEAD, key.at, key.length);
    this.insert(entry);
  }

  private entry(view: u64, key: NameKey, selector: u32): Entry | null {
    const hash = answerHash(view, key, selector);
    let node = this.first(hash);
    while (node !== null) {
      if (node.hash == hash) {
        const entry = changetype<Entry>(node);
        if (
          entry.view == view &&
          entry.selector == selector &&
          key.equals(changetype<usize>(entry) + HEAD, entry.nameLength)
        ) {
          return entry;
        }
      }
      node = node.next;
    }
    return null;
  }

  protected free(node: Node): void {
    release(changetype<Entry>(node).answer);
    heap.free(changetype<usize>(node));
  }
}

/** Of a question in a view: for answers that are kept, and for those under way. */
export function answerHash(view: u64, key: NameKey, selector: u32): u64 {
  return mix(mix(key.hash, view), selector);
}
