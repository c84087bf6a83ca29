/**
 * The API of a large cluster as a process of its own: prints its kubeconfig's path. `crowd-main.ts SERVICES NAMESPACES`
 */
import { startCrowd } from "./crowd.ts";

const [services = 0, namespaces = 0] = process.argv.slice(2).map(Number);
const api = await startCrowd({ services, namespaces });
console.log(api.config);
process.on("SIGTERM", () => void api.stop().then(() => process.exit(0)));
