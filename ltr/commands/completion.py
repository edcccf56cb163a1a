"""Print the script that lets a shell complete commands, options and knobs.

Examples:
  eval "$(ltr completion bash)"        # in ~/.bashrc
  eval "$(ltr completion zsh)"         # in ~/.zshrc
  ltr completion fish | source         # in ~/.config/fish/config.fish
"""

import argparse
import importlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from ltr import commands
from ltr.report import console

SCRIPTS = {
    "bash": """\
_ltr() {
  local line="${COMP_LINE:0:COMP_POINT}" words found IFS=$' \\t\\n'
  read -r -a words <<< "$line"
  [[ "$line" == *[[:space:]] ]] && words+=("")
  local current="${words[-1]}"
  IFS=$'\\n'
  found=($(ltr completion words -- "${words[@]:1}" 2>/dev/null))
  # bash takes = for the end of a word
  [[ "$current" == *=* && "$COMP_WORDBREAKS" == *=* ]] && found=("${found[@]#"${current%%=*}="}")
  COMPREPLY=("${found[@]}")
  [[ "${#found[@]}" == 1 && "${found[0]}" == *= ]] && compopt -o nospace
  return 0
}
complete -F _ltr ltr""",
    "zsh": """\
_ltr() {
  local -a found
  found=("${(@f)$(ltr completion words -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
  found=(${found:#})
  local -a open=(${(M)found:#*=}) whole=(${found:#*=})
  (( ${#open} )) && compadd -S '' -- "${open[@]}"
  (( ${#whole} )) && compadd -- "${whole[@]}"
}
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit; }
compdef _ltr ltr""",
    "fish": """\
complete -c ltr -f -a '(ltr completion words -- (commandline -opc)[2..] (commandline -ct) 2>/dev/null)'""",
}

TAKE_RUNS = {"show", "compare", "report", "export", "connect"}
"""Commands that take the names of runs."""

TAKE_KNOBS = {"run", "plan", "bench"}
"""Commands that take `key=value` words."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `ltr completion`."""
    parser.add_argument("shell", choices=[*SCRIPTS, "words"], help="the shell; words: for its script")
    parser.add_argument("words", nargs="*", help=argparse.SUPPRESS)


def execute(args: argparse.Namespace) -> int:
    """Print a script, or the completions of the last word."""
    if args.shell in SCRIPTS:
        console.write(SCRIPTS[args.shell])
        return 0
    if completions := sorted(set(candidates(args.words))):
        console.write("\n".join(completions))
    return 0


def candidates(words: Sequence[str]) -> Iterator[str]:
    """Yield the completions of the last of the words after `ltr`."""
    *before, current = words or [""]
    if not before:
        known: Iterator[str] = iter(commands.NAMES)
    elif before[0] not in commands.NAMES:
        return
    elif current.startswith("-"):
        known = _options(before[0])
    elif before[0] in TAKE_KNOBS:
        known = iter(_knobs(before, current))
    elif before[0] in TAKE_RUNS:
        known = _runs(before)
    else:
        known = _choices(before[0])
    yield from (word for word in known if word.startswith(current))


def _parser(command: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(add_help=command not in TAKE_KNOBS)
    importlib.import_module(f"ltr.commands.{command}").arguments(parser)
    return parser


def _options(command: str) -> Iterator[str]:
    for action in _parser(command)._actions:
        yield from (option for option in action.option_strings if option.startswith("--"))


def _choices(command: str) -> Iterator[str]:
    for action in _parser(command)._actions:
        if not action.option_strings:
            yield from map(str, action.choices or ())


def _knobs(before: Sequence[str], current: str) -> list[str]:
    """Return knobs and groups up to their `=`, or the values of a knob that can be listed."""
    from ltr.config.folders import joined

    with joined(_parser(before[0]).parse_known_args(before[1:])[0].config_dir):
        return [*_knob_completions(current)]


def _knob_completions(current: str) -> Iterator[str]:
    """Yield the completions of a `key=value` word."""
    from ltr.config.groups import choices, group_names
    from ltr.config.parse import knobs

    groups = group_names()
    key, is_assigned, _ = current.partition("=")
    if not is_assigned:
        yield from (f"{name}=" for name in [*groups, *(knob.name for knob in knobs())])
    elif key in groups:
        yield from (f"{key}={choice}" for choice in choices(key))
    else:
        name = re.sub(r"^arm\.\w+\.", "arm.NAME.", key)
        allowed = next((knob.allowed for knob in knobs() if knob.name == name), "")
        if allowed.startswith("one of "):
            yield from (f"{key}={word}" for word in allowed.removeprefix("one of ").split(", "))
        elif allowed == "true or false":
            yield from (f"{key}=true", f"{key}=false")


def _runs(before: Sequence[str]) -> Iterator[str]:
    from ltr.store.catalog import all_runs

    root = before[before.index("--output-root") + 1] if "--output-root" in before[:-1] else "outputs"
    yield "last"
    yield from (run.id for run in all_runs(Path(root)))
