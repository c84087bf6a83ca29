/**
 * The API of a large cluster as a process of its own: prints its kubeconfig's path, and when namespaces are listed, which
 * is where loading begins, in milliseconds since 1970. `crowd-main.ts SERVICES NAMESPACES`
 */
import { setPriority } from "node:os";
import { NAMESPACES_PATH, startCrowd } from "./crowd.ts";

// An API has a machine of its own: here it is given what the others leave.
setPriority(10);
const [services = 0, namespaces = 0] = process.argv.slice(2).map(Number);
const api = await startCrowd({ services, namespaces });
console.log(api.config);
api.onList = (path) => path === NAMESPACES_PATH && console.log(Date.now());
process.on("SIGTERM", () => void api.stop().then(() => process.exit(0)));
