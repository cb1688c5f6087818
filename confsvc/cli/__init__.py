"""The command line: one file for each command, imported only when it is run."""

import os
from importlib import import_module
from types import ModuleType

from confsvc._suggest import did_you_mean
from confsvc.cli import output
from confsvc.errors import ConfsvcError, InternalError, UsageError
from confsvc.thin.process import die_of_signals

__all__ = ["ALIASES", "COMMANDS", "module_of", "run"]

# name -> what it does, in the order of the help
COMMANDS = {
    "exec": "resolve, validate, inject, and become the command",
    "check": "does every setting resolve and validate? prints no value",
    "plan": "what a start will ask of each backend, what to grant, what it costs; makes no call",
    "doctor": "what is wrong with the backends and the way to them, each with its fix; prints no value",
    "diff": "settings that differ between two environments, or since a lock; prints no secret",
    "report": "how each setting stands in each environment, on one HTML page without values",
    "explain": "which layer won, what it shadowed, version and age; prints no value",
    "get": "one value, exactly as stored",
    "export": "all values, in one of several formats",
    "k8s": "manifests for an operator that reads the stores itself; prints no value",
    "render": "a file for each setting, all changed at once",
    "lock": "write down which versions were read, for --locked; what moved since",
    "compat": "would the old version start on the new configuration, and the new on the old?",
    "fingerprint": "a digest that changes when the configuration does; prints no value",
    "agent": "stay, and hand the settings to other processes over a socket",
    "watch": "stay, and tell of every change by names and versions; run a hook for it",
    "set": "write a setting to an environment's backend; its value comes from stdin",
    "copy": "settings from one environment to another; shows what changes, and asks",
    "import": "a .env into an environment's backends",
    "init": "write a manifest from an existing .env",
    "schema": "JSON Schemas: of the settings, or of the manifest for editors",
    "cache": "the last good settings, for when a store does not answer: see, remove, rekey",
    "completion": "shell completion for bash, zsh and fish",
}
ALIASES = {"run": "exec"}
_WORDS = frozenset({"import"})

# Options that may also stand before the command, and whether they take a value.
_LEADING = {"-e": 1, "--env": 1, "-f": 1, "--file": 1} | dict.fromkeys(
    ("-q", "--quiet", "-v", "--verbose", "--json", "--no-color"), 0
)


def run(argv: list[str]) -> int:
    """Run one command. Returns the exit status; every expected failure has been told on stderr by then."""
    _pin_standard_streams()
    die_of_signals()
    failure: ConfsvcError
    try:
        return _dispatch(argv)
    except ConfsvcError as error:
        failure = error
    except BrokenPipeError:
        # Whoever read our output has seen enough. What is left must not be flushed into the closed pipe at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    except Exception as error:  # noqa: BLE001 - the last line: a traceback could show values
        failure = _internal(error)
    output.report(failure)
    from confsvc.cli.termination import leave

    leave(output.plain_report(failure))
    return failure.exit_status


def module_of(command: str) -> ModuleType:
    """Return the module of ``command``; an underscore follows where Python has a word of its own."""
    return import_module(f"confsvc.cli.{command}{'_' * (command in _WORDS)}")


def _dispatch(argv: list[str]) -> int:
    output.configure(argv)
    argv = _command_first(argv)
    name = ALIASES.get(argv[0], argv[0]) if argv else "--help"
    if name in {"-h", "--help", "help"}:
        output.write(_help())
        return 0 if argv else UsageError.exit_status
    if name in {"-V", "--version"}:
        from confsvc._version import __version__

        output.write(f"confsvc {__version__}\n")
        return 0
    if name not in COMMANDS:
        what = "option" if name.startswith("-") else "command"
        raise UsageError(f"unknown {what} `{name}`{did_you_mean(name, [*COMMANDS, *ALIASES])}", hint="confsvc --help")
    status: int = module_of(name).main(argv[1:])
    return status


def _command_first(argv: list[str]) -> list[str]:
    """Move options that stand before the command behind it."""
    position = 0
    while position < len(argv) and (option := argv[position].partition("="))[0] in _LEADING:
        position += 1 if option[1] else 1 + _LEADING[option[0]]
    return [argv[position], *argv[:position], *argv[position + 1 :]] if position < len(argv) else []


def _help() -> str:
    width = max(map(len, COMMANDS))
    commands = "".join(f"  {name:{width}}  {text}\n" for name, text in COMMANDS.items())
    return (
        "confsvc injects an environment's configuration and secrets into a process.\n\n"
        "usage: confsvc COMMAND [options]\n"
        "       confsvc exec [-e ENV] [-f FILE] -- COMMAND…\n\n"
        f"commands:\n{commands}\n"
        "`confsvc COMMAND --help` has the options of each.\n"
    )


def _internal(error: Exception) -> InternalError:
    """Say where it went wrong, by file and line: an unexpected error's own text could hold a value."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    where = f" at {os.path.basename(trace.tb_frame.f_code.co_filename)}:{trace.tb_lineno}" if trace else ""
    return InternalError(f"a bug in confsvc: {type(error).__name__}{where}", hint="please report it, with this line")


def _pin_standard_streams() -> None:
    """Where stdin, stdout or stderr is closed, put /dev/null there, so that no file of ours gets its number.

    The new descriptors are not inherited: the child finds them closed, as we did.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:  # noqa: PLR2004 - the three standard streams
        pass
    os.close(descriptor)
