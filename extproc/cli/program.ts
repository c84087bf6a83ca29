/**
 * The command line: `dnspolicy serve` and the commands that ask it.
 */
import { Argument, Command, CommanderError, Option } from "commander";
import { EndpointError } from "../endpoint.ts";
import { TRANSPORTS } from "../explain/request.ts";
import { OUTCOMES } from "../telemetry/labels.ts";
import { TOP_KINDS, WINDOWS } from "../telemetry/questions.ts";
import { CAPTURE_TASKS, CAPTURE_WAYS, runCapture, VIRTUAL_RANGES } from "./capture-command.ts";
import { runApply, runDelete, runRollback } from "./change-commands.ts";
import { completionScript, SHELLS } from "./completion.ts";
import type { Context } from "./context.ts";
import { CONVERTED_FORMATS, runConvert } from "./convert-command.ts";
import { DEFAULT_ETCD_PREFIX } from "./etcd-flags.ts";
import { CommandError, EXIT_CODES_HELP, ExitCode } from "./exit-code.ts";
import { runExplain } from "./explain-command.ts";
import { runDiff, runHistory } from "./history-commands.ts";
import { runLint } from "./lint-command.ts";
import { runDrain, runGet, runStatus } from "./look-commands.ts";
import { runCrds, runSchema, runValidate } from "./offline-commands.ts";
import { OUTPUTS } from "./output.ts";
import { runRegister } from "./register-command.ts";
import { runReplay } from "./replay-command.ts";
import { serve } from "./serve.ts";
import { DEFAULT_ADMIN, DEFAULT_LISTEN, readServeOptions, type ServeFlags } from "./serve-options.ts";
import { runLogs, runStats, runTop } from "./telemetry-commands.ts";
import { runTest } from "./test-command.ts";

/** Returns the exit code. */
export async function run(context: Context): Promise<ExitCode> {
  let code: ExitCode = ExitCode.OK;
  const program = createProgram(context, (result) => {
    code = result;
  });
  try {
    await program.parseAsync(context.arguments, { from: "user" });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? ExitCode.OK : ExitCode.USAGE;
    const message = error instanceof Error ? error.message : String(error);
    context.stderr.write(`dnspolicy: ${message}\n`);
    if (error instanceof CommandError) return error.code;
    return error instanceof EndpointError ? ExitCode.USAGE : ExitCode.FAILED;
  }
}

function createProgram(context: Context, finish: (code: ExitCode) => void): Command {
  const program = new Command("dnspolicy")
    .description("DNS as a policy point of the service mesh, on a stock Envoy")
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void context.stdout.write(text),
      writeErr: (text) => void context.stderr.write(text),
    })
    .showHelpAfterError("(--help says more)")
    .addHelpText("after", EXIT_CODES_HELP);
  addServe(program, context, finish);
  addClientCommands(program, context, finish);
  addOfflineCommands(program, context, finish);
  // Subcommands inherit the settings only when they are made by command(); help of each has the codes, too.
  for (const command of program.commands) command.addHelpText("after", EXIT_CODES_HELP);
  return program;
}

function addServe(program: Command, context: Context, finish: (code: ExitCode) => void): void {
  const collect = (value: string, before: readonly string[] | undefined) => [...(before ?? []), value];
  program
    .command("serve")
    .description("run the policy service")
    .option(
      "--listen <endpoint>",
      `gRPC for Envoy: unix:/path, or host:port with --token or --tls-client-ca; may be repeated (default: ${DEFAULT_LISTEN})`,
      collect,
    )
    .option("--store <dir>", "keep the policy in this directory; this process is its one writer")
    .option("--watch <dir>", "read the policy from this directory, which somebody else writes")
    .option(
      "--store-kubernetes <kubeconfig>",
      "the policy is objects of this cluster, which kubectl changes (see: dnspolicy crds); in-cluster for the service account",
    )
    .option(
      "--store-etcd <urls>",
      "keep the policy in this etcd (http://host:port or https://host:port, several by commas), for any number of services",
    )
    .option("--etcd-prefix <prefix>", `of all keys there (default: ${DEFAULT_ETCD_PREFIX})`)
    .option("--etcd-cacert <file>", "trust these authorities (PEM) for https:, instead of the public ones")
    .option("--etcd-cert <file>", "certificate (PEM) for etcd")
    .option("--etcd-key <file>", "its key")
    .option("--etcd-user <name>", "of etcd, with --etcd-password-file or the environment's DNSPOLICY_ETCD_PASSWORD")
    .option("--etcd-password-file <file>", "the password of --etcd-user")
    .option(
      "--list-notify <endpoint>",
      "host:port, UDP and TCP, where primaries of NameLists and MeshSources say that zones have changed",
    )
    .option("--list-directory <dir>", "where relative paths of NameLists begin (default: the directory of the policy)")
    .option(
      "--kubernetes <kubeconfig>",
      "watch objects of the mesh of this cluster; in-cluster for the service account",
    )
    .option(
      "--other-cluster <name=kubeconfig>",
      "watch services and endpoints of another cluster of the mesh, too; may be repeated",
      collect,
    )
    .option(
      "--admin <endpoint>",
      `admin API: unix:/path, or host:port with --admin-tokens or --admin-token-file; may be repeated (default: ${DEFAULT_ADMIN})`,
      collect,
    )
    .option(
      "--admin-demo <endpoint>",
      "admin API on a loopback port, open to everybody on this machine: for demos only",
    )
    .option(
      "--admin-tokens <file>",
      "who may use the admin API: a YAML list of name, role (viewer, editor, admin), tenant (of an editor), and the sha256 of a token or the principal of a client certificate; read anew on SIGHUP",
    )
    .option("--admin-token-file <file>", "a bearer token of the admin API for the role admin")
    .option("--admin-tls-cert <file>", "certificate (PEM) of the admin API on TCP ports")
    .option("--admin-tls-key <file>", "its key")
    .option("--admin-tls-client-ca <file>", "authorities of client certificates, for principals of --admin-tokens")
    .option("--audit-log <file>", "JSON lines: who changed what, and who was refused")
    .option("--admin-name <name>", "another host name of the admin API on TCP ports; may be repeated", collect)
    .addOption(secret(context, "DNSPOLICY_SERVICE_TOKEN", "asked of every gRPC caller"))
    .option("--token-file <file>", "the same, from a file")
    .option("--tls-cert <file>", "certificate (PEM) of gRPC on TCP ports")
    .option("--tls-key <file>", "its key")
    .option("--tls-client-ca <file>", "authorities of client certificates, which everybody then needs")
    .option(
      "--upstream-ca <file>",
      "trust these authorities (PEM), beside the public ones, for upstreams without tls.ca",
    )
    .option(
      "--query-log <file>",
      "JSON lines of denials, and of all queries where a tenant asks for it; - is the standard output",
    )
    .option(
      "--connection-log <file>",
      "JSON lines of connections that Envoys have asked about; - is the standard output",
    )
    .option(
      "--connection-memory <file>",
      "keep what connections are allowed by in this file, so that a restart refuses none of them",
    )
    .option(
      "--query-store <file>",
      "keep what the query log has in this file, too, for `dnspolicy logs` and the API (needs the package @duckdb/node-api)",
    )
    .option("--query-store-keep <time>", "for how long: days or hours", "30d")
    .option("--query-store-size <size>", "beyond this, the oldest queries go", "4GiB")
    .option(
      "--syslog <target>",
      "tell a syslog server (RFC 5424) of denials: udp:host:port, tcp:host:port or tls:host:port",
    )
    .option("--syslog-ca <file>", "trust these authorities (PEM) for tls:, instead of the public ones")
    .option("--webhooks <file>", "tell these webhooks (a YAML list) of denials, and of what guards found")
    .option(
      "--clickhouse <file>",
      "write what the query log has to a table of ClickHouse, too (a YAML file: url, database, table, username, passwordFile, ...)",
    )
    .option("--dnstap <endpoint>", "tell a dnstap reader at unix:/path or host:port of every query")
    .option(
      "--certificate-checks <interval>",
      "look at upstream servers so often (1s to 1h), by a TLS handshake, until when their certificates are valid",
    )
    .option(
      "--last-good <seconds>",
      "for how long workers use verdicts without the service, as configured there",
      "600",
    )
    .addOption(new Option("--log-level <level>").choices(["debug", "info", "warn", "error"]).default("info"))
    .action(async (flags: ServeFlags) =>
      finish(await serve(context, await readServeOptions(flags, context.environment))),
    );
}

function addClientCommands(program: Command, context: Context, finish: (code: ExitCode) => void): void {
  const add = (name: string, description: string) =>
    program
      .command(name)
      .description(description)
      .option(
        "--server <endpoint>",
        "admin API: unix:/path, http://host:port or https://host:port (or DNSPOLICY_SERVER)",
        context.environment.DNSPOLICY_SERVER ?? DEFAULT_ADMIN,
      )
      .addOption(secret(context, "DNSPOLICY_TOKEN", "bearer token of the admin API"))
      .option("--tls-ca <file>", "trust these authorities (PEM) instead of the public ones")
      .option("--tls-cert <file>", "client certificate (PEM)")
      .option("--tls-key <file>", "its key");
  const collect = (value: string, before: readonly string[] | undefined) => [...(before ?? []), value];

  const addChange = (name: string, description: string) =>
    add(name, description)
      .option("--reason <text>", "why, for the history")
      .option("--if-version <version>", "only if this version is in force")
      .option("--dry-run", "only show what would change")
      .addOption(output());

  addChange("apply", "create or replace resources; returns when every connected worker obeys them")
    .requiredOption("-f, --filename <path>", "a file, a directory of .yaml files, or -; may be repeated", collect)
    .option("--prune", "make them the whole set: whatever else there is, is deleted")
    .action(async (options) => finish(await runApply(context, options)));
  addChange("delete <kind> <name>", "delete a resource").action(async (kind: string, name: string, options) =>
    finish(await runDelete(context, kind, name, options)),
  );
  addChange(
    "rollback <version>",
    "make an old version's content a new version: by its number, or ~1 for the last",
  ).action(async (version: string, options) => finish(await runRollback(context, version, options)));
  add("history", "list the versions that are kept, newest first: the first is in force")
    .addOption(output())
    .action(async (options) => finish(await runHistory(context, options)));
  add("diff <from> [to]", "say what a version says otherwise than another, or than what is in force")
    .addOption(output())
    .action(async (from: string, to: string | undefined, options) => finish(await runDiff(context, from, to, options)));
  add("get [kind] [name]", "print the resources in force")
    .addOption(output("source", "as written; or yaml and json with generation and status"))
    .action(async (kind: string | undefined, name: string | undefined, options) =>
      finish(await runGet(context, kind, name, options)),
    );
  add("explain", "say what becomes of a question, by which rule, and which other rules were considered")
    .requiredOption("--client <address>", "who asks")
    .requiredOption("--name <name>", "what is asked")
    .option("--type <type>", "as A or HTTPS", "A")
    .addOption(new Option("--transport <transport>", "how it is asked").choices(Object.keys(TRANSPORTS)).default("udp"))
    .option("--principal <uri>", "of a client certificate that Envoy has validated")
    .option("--server-name <name>", "SNI")
    .option("--path <uri-path>", "of DoH")
    .option("--tenant <name>", "a sidecar's fixed identity")
    .option("--at <time>", "as 2026-11-24T18:00:00Z; by default now")
    .option("-f, --filename <path>", "ask these files instead of a service; may be repeated", collect)
    .addOption(output())
    .action(async (options) => finish(await runExplain(context, options)));
  add("test", "say whether cases come out as they are expected: of the service, or of files")
    .requiredOption("-f, --filename <path>", "a file of cases, a directory of them, or -; may be repeated", collect)
    .option("--against <path>", "policy files, instead of a service; may be repeated", collect)
    .addOption(output(undefined, "how to print it; junit is for CI", ["junit"]))
    .action(async (options) => finish(await runTest(context, options)));
  add("lint", "say what of the policy deserves a second look: rules that never have a word, or cross, or match nothing")
    .option("-f, --filename <path>", "look at these files instead of a service's policy; may be repeated", collect)
    .option("--strict", "fail where there is a warning")
    .option("--unmatched-days <days>", "tell rules that have matched nothing for so long, by the service", "30")
    .addOption(output())
    .action(async (options) => finish(await runLint(context, options)));
  add("status", "say which policy is in force, and who obeys it")
    .addOption(output())
    .addOption(new Option("--json", "as JSON").hideHelp())
    .action(async (options) => finish(await runStatus(context, options)));
  const addFilter = (command: Command) =>
    command
      .option("--tenant <name>", "only of this tenant; - is for clients that are no tenant's")
      .addOption(new Option("--verdict <verdict>", "only with this outcome").choices([...OUTCOMES]))
      .option("--name <name>", "only of this name, with * for any characters")
      .option("--client <address>", "only of this address, or network as 10.0.0.0/8")
      .option("--type <type>", "only of this type")
      .option("--rule <policy/rule>", "only what this rule, or policy, decided");
  addFilter(add("logs", "past queries, oldest first; or with -f, queries from now on"))
    .option("-f, --follow", "go on until stopped")
    .option("--since <time>", "as 2026-11-24T18:00:00Z, or how long ago: 15m")
    .option("--until <time>", "the same")
    .option("-n, --limit <number>", "so many at most (past queries: 100 by default, the newest)", "")
    .addOption(output())
    .action(async (options) => finish(await runLogs(context, options)));
  const addView = (name: string, description: string) =>
    add(name, description)
      .addOption(new Option("--window <window>", "how far back").choices([...WINDOWS]).default("15m"))
      .option("--tenant <name>", "only of this tenant; - is for clients that are no tenant's")
      .option("-w, --watch", "again every two seconds, until stopped")
      .addOption(output());
  addView("top", "the names, denied names or clients that are most frequent")
    .addOption(new Option("--kind <kind>", "the most frequent of what").choices([...TOP_KINDS]).default("names"))
    .option("-n, --limit <number>", "so many at most", "20")
    .action(async (options) => finish(await runTop(context, options)));
  addView("stats", "what tenants' queries were and what became of them").action(async (options) =>
    finish(await runStats(context, options)),
  );
  add("register", "make this machine an endpoint of a ServiceEntry, for as long as this runs")
    .requiredOption("--service <name>", "the ServiceEntry, which chooses workloads by labels")
    .requiredOption("--address <address>", "where this machine is")
    .option("--namespace <namespace>", "that of the ServiceEntry", "default")
    .option("--name <name>", "of the endpoint (default: the service and the address)")
    .option("--port <name=number>", "a port that is another than the ServiceEntry's; may be repeated", collect)
    .option("--label <name=value>", "a label beside those that are asked for; may be repeated", collect)
    .option("--locality <region/zone>", "where that is")
    .option("--service-account <name>", "as whom its programs run")
    .option("--check <url>", "how the service looks whether it is well: tcp://:PORT or http://:PORT/PATH")
    .option("--ttl <duration>", "gone without a beat for so long; there are three in it", "30s")
    .option("--once", "do not stay: whoever calls this calls it again in time")
    .action(async (options) => finish(await runRegister(context, options)));
  add("drain", "tell workers that their Envoy is about to be stopped")
    .option("--node <node>", "only those of this Envoy")
    .action(async (options) => finish(await runDrain(context, options)));
}

function addOfflineCommands(program: Command, context: Context, finish: (code: ExitCode) => void): void {
  const collect = (value: string, before: readonly string[] | undefined) => [...(before ?? []), value];
  program
    .command("validate")
    .description("say whether files are a valid policy, without a service: they are taken for the whole set")
    .requiredOption("-f, --filename <path>", "a file, a directory of .yaml files, or -; may be repeated", collect)
    .option("--strict", "refuse what only deserves a warning, too")
    .addOption(output())
    .action(async (options) => finish(await runValidate(context, options)));
  program
    .command("convert")
    .addArgument(new Argument("<format>").choices(CONVERTED_FORMATS))
    .description("print another product's configuration as resources; fails where something of it is left out")
    .requiredOption("-f, --filename <path>", "a file, or -; may be repeated", collect)
    .option("--name <name>", "of the policy that a zone or a hosts file becomes", "converted")
    .option("--allow-partial", "do not fail where something is left out, which is told all the same")
    .action(async (format: string, options) => finish(await runConvert(context, format, options)));
  program
    .command("replay")
    .argument("<log>", "a query log (JSON lines), also one that gzip has compressed; or -")
    .description("say which recorded queries would end otherwise by a candidate policy; fails where there is one")
    .requiredOption("--against <path>", "the candidate: policy files; may be repeated", collect)
    .option("--from <path>", "compare with these policy files, not with what was recorded; may be repeated", collect)
    .option("--limit <count>", "how many changes the table has; 0 is all of them", "100")
    .addOption(output())
    .action(async (log: string, options) => finish(await runReplay(context, log, options)));
  program
    .command("capture")
    .addArgument(new Argument("<task>").choices(CAPTURE_TASKS))
    .description("let programs of this pod or machine that know nothing of Envoy ask it; check fails where they do not")
    .addOption(
      new Option("--with <way>", "redirect port 53, or name Envoy in a file").choices(CAPTURE_WAYS).default("nftables"),
    )
    .option("--port <port>", "of Envoy, for UDP and TCP, at 127.0.0.1 and ::1", "1053")
    .option("--uid <uid>", "do not redirect what this user sends: Envoy's; may be repeated", collect)
    .option("--mark <mark>", "do not redirect what has this mark (SO_MARK): Envoy's")
    .option("--virtual-port <port>", "of Envoy, for connections to virtual addresses; without it they are left alone")
    .option(
      "--virtual-range <cidr>",
      `of virtual addresses; may be repeated (default: ${VIRTUAL_RANGES.join(", ")})`,
      collect,
    )
    .option("--resolver-port <port>", "where Envoy alone may ask, at 127.0.0.1; others that do are redirected, too")
    .option(
      "--nameserver <address>",
      "of Envoy, with resolv-conf, at port 53; may be repeated (default: 127.0.0.1)",
      collect,
    )
    .option("--file <file>", "with resolv-conf", "/etc/resolv.conf")
    .option("--dry-run", "only show what install would do")
    .action(async (task, options) => finish(await runCapture(context, task, options)));
  program
    .command("schema")
    .argument("[kind]", "one kind; by default all of them")
    .description("print the JSON Schema of resources, for editors and other tools")
    .option("--directory <dir>", "write a file for each kind, and one for all, instead")
    .action(async (kind: string | undefined, options) => finish(await runSchema(context, kind, options)));
  program
    .command("crds")
    .description("print the resources as CustomResourceDefinitions of Kubernetes: dnspolicy crds | kubectl apply -f -")
    .action(() => runCrds(context));
  program
    .command("completion")
    .addArgument(new Argument("<shell>").choices(SHELLS))
    .description("print a script that completes commands: source <(dnspolicy completion bash)")
    .action((shell: string) => void context.stdout.write(completionScript(program, shell)));
}

/** `more` is a format that this command has beside the common ones, and its default; `others` are no default. */
function output(more?: string, description = "how to print it", others: readonly string[] = []): Option {
  const choices = [...(more === undefined ? [] : [more]), ...OUTPUTS, ...others];
  return new Option("-o, --output <format>", description).choices(choices).default(more ?? "table");
}

/** `--token`, or a variable of the environment, which other users of the machine do not see. */
function secret({ environment }: Context, variable: string, description: string): Option {
  const option = new Option("--token <secret>", `${description} (or ${variable})`);
  const value = environment[variable];
  return value === undefined ? option : option.default(value, `$${variable}`);
}
