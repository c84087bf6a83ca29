/**
 * When something may have happened in a directory: as the file system says, and now and then for those that say nothing.
 */
import { type FSWatcher, watch } from "node:fs";

/** `rescanMs`: so often, whatever the file system says; 0 for never. Returns how to stop. */
export function watchFiles(directory: string, rescanMs: number, task: () => void): () => void {
  let watcher: FSWatcher | undefined;
  const start = () => {
    try {
      const started = watch(directory, { persistent: false }, task);
      started.on("error", () => {
        started.close();
        if (watcher === started) watcher = undefined;
      });
      watcher = started;
    } catch {
      // The rescan tries again, and whoever reads the directory says what is wrong with it.
      watcher = undefined;
    }
  };
  start();
  if (rescanMs === 0) return () => watcher?.close();
  const timer = setInterval(() => {
    // A directory that was not there, or was replaced, is not being watched.
    if (watcher === undefined) start();
    task();
  }, rescanMs).unref();
  return () => {
    clearInterval(timer);
    watcher?.close();
  };
}
