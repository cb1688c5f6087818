"""``confsvc completion``: shell completion for bash, zsh and fish, made from the parsers themselves."""

from importlib import import_module

from confsvc.cli import ALIASES, COMMANDS, output
from confsvc.cli.options import Parser
from confsvc.errors import ConfsvcError
from confsvc.finding import find_and_load

__all__ = ["main", "options_of", "parser"]

_BASH = """\
# bash completion for confsvc; `source <(confsvc completion bash)`
_confsvc() {{
  local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD-1]}} command="" word
  COMPREPLY=()
  for ((word = 1; word < COMP_CWORD; word++)); do
    case ${{COMP_WORDS[word]}} in
      --)
        compopt -o default 2>/dev/null
        COMPREPLY=($(compgen $( ((word + 1 == COMP_CWORD)) && echo -c || echo -f ) -- "$cur"))
        return ;;
      {names}) [[ $command ]] || command=${{COMP_WORDS[word]}} ;;
    esac
  done
  case $prev in
    -e|--env) COMPREPLY=($(compgen -W "$(confsvc completion environments 2>/dev/null)" -- "$cur")); return ;;
    -f|--file|-o|--output|--to) COMPREPLY=($(compgen -f -- "$cur")); return ;;
    --format) COMPREPLY=($(compgen -W "{formats}" -- "$cur")); return ;;
  esac
  case $command in
    "") COMPREPLY=($(compgen -W "{words} --help --version" -- "$cur")) ;;
{cases}
  esac
}}
complete -F _confsvc confsvc
"""

_ZSH = """\
#compdef confsvc
# zsh completion for confsvc; `source <(confsvc completion zsh)`
autoload -U +X bashcompinit && bashcompinit
{bash}"""

_SHELLS = ("bash", "zsh", "fish")


def parser() -> Parser:
    """Return the command's parser."""
    made = Parser(
        "completion",
        "Print a completion script. For bash: source <(confsvc completion bash); for zsh the same with zsh;\n"
        "for fish: confsvc completion fish | source. `environments` lists the manifest's environments for them.",
        "bash|zsh|fish",
    )
    made.add_argument("shell", choices=[*_SHELLS, "environments"], metavar="SHELL", help="bash, zsh or fish")
    return made


def main(argv: list[str]) -> int:
    """Print the script."""
    args = parser().parse_args(argv)
    if args.shell == "environments":
        output.write("".join(f"{name}\n" for name in _environments()))
    elif args.shell == "fish":
        output.write(_fish())
    else:
        output.write(_bash() if args.shell == "bash" else _ZSH.format(bash=_bash()))
    return 0


def _environments() -> tuple[str, ...]:
    """Return the environments that can be completed: none where there is no manifest, as Tab must not complain."""
    try:
        return find_and_load().environments
    except ConfsvcError:
        return ()


def options_of(command: str) -> dict[str, str]:
    """Return the options of ``command`` with their help."""
    made: Parser = import_module(f"confsvc.cli.{ALIASES.get(command, command)}").parser()
    return made.options()


def _bash() -> str:
    from confsvc.cli import export

    words = [*COMMANDS, *ALIASES]
    cases = "\n".join(
        f'    {name}) COMPREPLY=($(compgen -W "{" ".join(options_of(name))}" -- "$cur")) ;;' for name in words
    )
    return _BASH.format(names="|".join(words), words=" ".join(words), formats=" ".join(export.CHOICES), cases=cases)


def _fish() -> str:
    words = [*COMMANDS, *ALIASES]
    lines = ["# fish completion for confsvc; `confsvc completion fish | source`", "complete -c confsvc -f"]
    none = "not __fish_seen_subcommand_from " + " ".join(words)
    lines += [f"complete -c confsvc -n '{none}' -a {name} -d '{_quoted(text)}'" for name, text in COMMANDS.items()]
    for name in words:
        for option, text in options_of(name).items():
            flag = f"-l {option[2:]}" if option.startswith("--") else f"-s {option[1:]}"
            given = {"-e": " -xa '(confsvc completion environments 2>/dev/null)'", "-f": " -rF", "-o": " -rF"}
            long = {"--env": given["-e"], "--file": given["-f"], "--output": given["-o"]}
            extra = given.get(option) or long.get(option, "")
            seen = f"__fish_seen_subcommand_from {name}"
            lines.append(f"complete -c confsvc -n '{seen}' {flag} -d '{_quoted(text)}'{extra}")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")
