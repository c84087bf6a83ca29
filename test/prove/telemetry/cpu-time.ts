/**
 * Time of all cores that a task takes, also of threads that work for it: the same on a machine that is busy with others.
 */
export function cpuMicroseconds(task: () => void): number {
  const before = process.cpuUsage();
  task();
  const { user, system } = process.cpuUsage(before);
  return user + system;
}
