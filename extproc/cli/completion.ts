/**
 * Completion for shells, made of the commands and options that there are: commands, options, their choices, kinds,
 * and files where a file is asked for.
 */
import type { Command, Option } from "commander";
import { KINDS } from "../resources/json-schema.ts";
import { CommandError, ExitCode } from "./exit-code.ts";

export const SHELLS = ["bash", "zsh", "fish"] as const;

export function completionScript(program: Command, shell: string): string {
  if (shell === "bash") return bash(program);
  // zsh runs completions of bash; a function of its own would say the same once more.
  if (shell === "zsh") return `autoload -U +X bashcompinit && bashcompinit\n${bash(program)}`;
  if (shell === "fish") return fish(program);
  throw new CommandError(ExitCode.USAGE, `expected one of ${SHELLS.join(", ")}, got ${shell}`);
}

function visibleOptions(command: Command): readonly Option[] {
  return command.createHelp().visibleOptions(command);
}

function flagsOf({ short, long }: Option): string[] {
  return [short, long].filter((flag) => flag !== undefined);
}

function takesFile({ flags }: Option): boolean {
  return /<(file|dir|path)>/.test(flags);
}

function takesValue({ required, optional }: Option): boolean {
  return required || optional;
}

/** The words for a command's first argument, where they are known. */
function argumentWords(command: Command): readonly string[] {
  const [first] = command.registeredArguments;
  if (first?.argChoices !== undefined) return first.argChoices;
  return first?.name() === "kind" ? KINDS : [];
}

function bash(program: Command): string {
  const lines = program.commands.map((command) => {
    const words = visibleOptions(command).flatMap(flagsOf).join(" ");
    return `    ${command.name()}) options="${words}"; words="${argumentWords(command).join(" ")}" ;;`;
  });
  const options = program.commands.flatMap((command) => visibleOptions(command));
  const files = unique(options.filter(takesFile).flatMap(flagsOf));
  const values = unique(options.filter((option) => takesValue(option) && !takesFile(option)).flatMap(flagsOf));
  // The same option has other choices with other commands.
  const choices = program.commands.flatMap((command) =>
    visibleOptions(command)
      .filter(({ argChoices }) => argChoices !== undefined)
      .flatMap((option) =>
        flagsOf(option).map((flag) => `    "${command.name()} ${flag}") words="${option.argChoices?.join(" ")}" ;;`),
      ),
  );
  return `_dnspolicy() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" command="\${COMP_WORDS[1]}"
  local options="" words=""
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${program.commands.map((command) => command.name()).join(" ")} --help" -- "$current"))
    return
  fi
  case "$command $previous" in
${choices.join("\n")}
  esac
  if [ -n "$words" ]; then
    COMPREPLY=($(compgen -W "$words" -- "$current"))
    return
  fi
  case "$previous" in
    ${files.join("|")}) COMPREPLY=($(compgen -f -- "$current")); return ;;
    ${values.join("|")}) return ;;
  esac
  case "$command" in
${lines.join("\n")}
  esac
  case "$current" in
    -*) COMPREPLY=($(compgen -W "$options" -- "$current")) ;;
    *) if [ "$COMP_CWORD" -eq 2 ]; then COMPREPLY=($(compgen -W "$words" -- "$current")); fi ;;
  esac
}
complete -o filenames -F _dnspolicy dnspolicy
`;
}

function fish(program: Command): string {
  const lines = ["complete -c dnspolicy -f"];
  for (const command of program.commands) {
    const name = command.name();
    lines.push(`complete -c dnspolicy -n __fish_use_subcommand -a ${name} -d ${quote(command.description())}`);
    const seen = `complete -c dnspolicy -n "__fish_seen_subcommand_from ${name}"`;
    const words = argumentWords(command);
    if (words.length > 0) lines.push(`${seen} -a ${quote(words.join(" "))}`);
    for (const option of visibleOptions(command)) {
      const short = option.short === undefined ? "" : ` -s ${option.short.slice(1)}`;
      const value = option.argChoices !== undefined ? ` -x -a ${quote(option.argChoices.join(" "))}` : "";
      const file = takesFile(option) ? " -r -F" : takesValue(option) && value === "" ? " -x" : "";
      const long = option.long?.slice(2) ?? "";
      lines.push(`${seen}${short} -l ${long}${value}${file} -d ${quote(option.description)}`);
    }
  }
  return `${lines.join("\n")}\n`;
}

/** Of fish: nothing but the quote and the backslash means anything inside. */
function quote(text: string): string {
  return `'${text.replaceAll(/[\\']/g, "\\$&")}'`;
}

function unique(words: readonly string[]): string[] {
  return [...new Set(words)];
}
