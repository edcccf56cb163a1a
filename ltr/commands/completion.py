"""Print the script that lets a shell complete commands, options and knobs.

Examples:
  eval "$(ltr completion bash)"        # in ~/.bashrc
  eval "$(ltr completion zsh)"         # in ~/.zshrc
  ltr completion fish | source         # in ~/.config/fish/config.fish
"""

import argparse
import importlib
from collections.abc import Iterable, Iterator, Sequence

from ltr import commands
from ltr.commands.options import add_output_root
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
        known: Iterable[str] = commands.NAMES
    elif before[0] not in commands.NAMES:
        return
    else:
        known = _of_command(_parser(before[0]), before[1:], current)
    yield from (word for word in known if word.startswith(current))


def _parser(command: str) -> argparse.ArgumentParser:
    module = importlib.import_module(f"ltr.commands.{command}")
    parser = argparse.ArgumentParser(add_help=not getattr(module, "LISTS_KNOBS", False))
    module.arguments(parser)
    return parser


def _of_command(parser: argparse.ArgumentParser, before: Sequence[str], current: str) -> Iterable[str]:
    """Return the completions of a word after a command and the words before it."""
    if current.startswith("-"):
        return _options(parser)
    arguments = {action.dest: action for action in parser._actions if not action.option_strings}
    if "knobs" in arguments:
        return _knobs(parser, before, current)
    if "run" in arguments:
        return _runs(before)
    return [str(choice) for action in arguments.values() for choice in action.choices or ()]


def _options(parser: argparse.ArgumentParser) -> Iterator[str]:
    for action in parser._actions:
        yield from (option for option in action.option_strings if option.startswith("--"))


def _knobs(parser: argparse.ArgumentParser, before: Sequence[str], current: str) -> list[str]:
    """Return knobs and groups up to their `=`, or the values of a knob that can be listed."""
    from ltr.config.folders import joined

    with joined(parser.parse_known_args(before)[0].config_dir):
        return [*_knob_completions(current)]


def _knob_completions(current: str) -> Iterator[str]:
    """Yield the completions of a `key=value` word."""
    from ltr.config.groups import choices, group_names
    from ltr.config.parse import generic, knobs

    groups = group_names()
    key, is_assigned, _ = current.partition("=")
    if not is_assigned:
        yield from (f"{name}=" for name in [*groups, *(knob.name for knob in knobs())])
    elif key in groups:
        yield from (f"{key}={choice}" for choice in choices(key))
    else:
        values = next((knob.choices for knob in knobs() if knob.name == generic(key)), ())
        yield from (f"{key}={value}" for value in values)


def _runs(before: Sequence[str]) -> Iterator[str]:
    from ltr.store.catalog import all_runs

    parser = argparse.ArgumentParser(add_help=False)
    add_output_root(parser)
    yield "last"
    yield from (run.id for run in all_runs(parser.parse_known_args(before)[0].output_root))
