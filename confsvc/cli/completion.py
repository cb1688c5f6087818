"""``confsvc completion``: shell completion for bash, zsh and fish, made from the parsers themselves."""

from confsvc.cli import ALIASES, COMMANDS, module_of, output
from confsvc.cli.options import Parser
from confsvc.errors import ConfsvcError
from confsvc.finding import find_and_load

__all__ = ["main", "options_of", "parser"]

_BASH = """\
# bash completion for confsvc; `source <(confsvc completion bash)`
_confsvc() {{
  local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD-1]}} command="" file="" option="" word
  local IFS=$'\\n'
  COMPREPLY=()
  # bash makes three words of --env=name
  if [[ $cur == = ]]; then cur=""; elif [[ $prev == = ]]; then prev=${{COMP_WORDS[COMP_CWORD-2]}}; fi
  for ((word = 1; word < COMP_CWORD; word++)); do
    case ${{COMP_WORDS[word]}} in
      --) _confsvc_command $((word + 1)); return ;;
      {valued})
        option=${{COMP_WORDS[word]}}
        [[ ${{COMP_WORDS[word+1]}} == = ]] && ((word++))
        ((word++))
        case $option in -f|--file) file=${{COMP_WORDS[word]}} ;; esac ;;
      {names}) [[ $command ]] || command=${{COMP_WORDS[word]}} ;;
    esac
  done
  case $prev in
    -e|--env) _confsvc_environments; return ;;
    {files}) _confsvc_files; return ;;
  esac
  case "$command $prev" in
{choices}
  esac
  case $prev in {valued}) return ;; esac
  case $command in
    "") _confsvc_words {words} --help --version ;;
{cases}
  esac
}}
_confsvc_words() {{
  for word in "$@"; do [[ $word == "$cur"* ]] && COMPREPLY+=("$word"); done
}}
_confsvc_environments() {{
  _confsvc_words $(CONFSVC_FILE=${{file:-${{CONFSVC_FILE-}}}} "${{COMP_WORDS[0]}}" completion environments 2>/dev/null)
}}
_confsvc_files() {{
  compopt -o filenames 2>/dev/null
  COMPREPLY+=($(compgen -f -- "$cur"))
}}
_confsvc_command() {{
  if type _command_offset >/dev/null 2>&1; then
    unset IFS
    _command_offset "$1"
  elif (($1 == COMP_CWORD)); then
    COMPREPLY=($(compgen -c -- "$cur"))
  else
    _confsvc_files
  fi
}}
complete -F _confsvc confsvc
"""

_ZSH = """\
#compdef confsvc
# zsh completion for confsvc; `source <(confsvc completion zsh)`
autoload -U +X bashcompinit && bashcompinit
{bash}"""

_FISH = """\
# fish completion for confsvc; `confsvc completion fish | source`
function __confsvc_environments
    set -l words (commandline -opc)
    for number in (seq (count $words))
        if contains -- $words[$number] -f --file; and test $number -lt (count $words)
            set -fx CONFSVC_FILE $words[(math $number + 1)]
        end
    end
    $words[1] completion environments 2>/dev/null
end
function __confsvc_command
    set -l words (commandline -opc)
    set -l rest
    set -l number (math (contains -i -- -- $words) + 1)
    if test $number -le (count $words)
        set rest (string escape -- $words[$number..-1])
    end
    complete -C (string join ' ' -- $rest (commandline -ct))
end
complete -c confsvc -f
complete -c confsvc -n 'contains -- -- (commandline -opc)' -x -a '(__confsvc_command)'
complete -c confsvc -n '__fish_seen_subcommand_from compat init import' -F
complete -c confsvc -n '__fish_seen_subcommand_from diff' -F -a '(__confsvc_environments)'
complete -c confsvc -n '__fish_seen_subcommand_from copy' -a '(__confsvc_environments)'
complete -c confsvc -n '__fish_seen_subcommand_from completion' -a 'bash zsh fish'
complete -c confsvc -n '__fish_seen_subcommand_from k8s' -a external-secret
complete -c confsvc -n '__fish_seen_subcommand_from cache' -a 'status purge rekey'
"""

_SHELLS = ("bash", "zsh", "fish")
_FILES = ("-f", "--file", "-o", "--output", "--to", "--template", "--key-file", "--old-key-file", "--lock-file")
_ENVIRONMENTS = ("-e", "--env")


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
    return _parser_of(command).options()


def _parser_of(command: str) -> Parser:
    made: Parser = module_of(ALIASES.get(command, command)).parser()
    return made


def _bash() -> str:
    words = [*COMMANDS, *ALIASES]
    values = {name: _parser_of(name).values() for name in words}
    return _BASH.format(
        names="|".join(words),
        words=" ".join(words),
        valued="|".join(dict.fromkeys(option for options in values.values() for option in options)),
        files="|".join(_FILES),
        choices="\n".join(  # by command: the formats of `export` are not those of `render`
            f'    "{name} {option}") _confsvc_words {" ".join(choices)}; return ;;'
            for name, options in values.items()
            for option, choices in options.items()
            if choices
        ),
        cases="\n".join(
            f"    {name}) _confsvc_words {' '.join(options_of(name))}{_operands(name)} ;;" for name in words
        ),
    )


def _operands(command: str) -> str:
    return {
        "cache": " status purge rekey",
        "completion": " " + " ".join(_SHELLS),
        "diff": "; _confsvc_environments; _confsvc_files",
        "copy": "; _confsvc_environments",
        "import": "; _confsvc_files",
        "compat": "; _confsvc_files",
        "init": "; _confsvc_files",
        "k8s": " external-secret",
    }.get(command, "")


def _fish() -> str:
    words = [*COMMANDS, *ALIASES]
    none = "not __fish_seen_subcommand_from " + " ".join(words)
    lines = [f"complete -c confsvc -n '{none}' -a {name} -d '{_quoted(text)}'" for name, text in COMMANDS.items()]
    lines += [_fish_option(none, option, _parser_of("check")) for option in (*_ENVIRONMENTS, "-f", "--file")]
    for name in words:
        made = _parser_of(name)
        lines += [_fish_option(f"__fish_seen_subcommand_from {name}", option, made) for option in made.options()]
    return _FISH + "\n".join(lines) + "\n"


def _fish_option(condition: str, option: str, parser: Parser) -> str:
    flag = f"-l {option[2:]}" if option.startswith("--") else f"-s {option[1:]}"
    line = f"complete -c confsvc -n '{condition}' {flag} -d '{_quoted(parser.options()[option])}'"
    if option in _ENVIRONMENTS:
        return line + " -xa '(__confsvc_environments)'"
    if option in _FILES:
        return line + " -rF"
    choices = parser.values().get(option)
    if choices is None:
        return line
    return line + (f" -xa '{' '.join(choices)}'" if choices else " -x")


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")
