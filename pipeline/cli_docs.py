"""``docs/cli.md`` and ``docs/settings.md``, written from the parser and from ``.env.example``.

``python -m pipeline.cli_docs FOLDER`` writes both; ``make dictionary`` does that for ``docs/``.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main

from pipeline.cli import app
from pipeline.files import write_bytes_atomically

_CLI_HEAD = """\
# Command line

<!-- Written by `make dictionary` from the commands themselves. Do not edit: edit those. -->

`--help` behind a command says the same. Every command that ends by itself takes `--json`; its keys
are in [cli_output.schema.json](cli_output.schema.json) and stay what they are. A command ends with
0, with 1 when something failed, with 2 for a mistake in the call or the settings, with 130 after
Ctrl-C. Tables go to standard output, words about what is being done to standard error, progress to
a terminal only. A terminal that is too narrow for a table gets each row as a block; a pipe gets
each row on one line.

`tidemark --install-completion` sets the completion of bash, zsh or fish up, with the names of
feeds, tables, signals, indices and builds; `--show-completion` prints it.
"""
_SETTINGS_HEAD = """\
# Settings

<!-- Written by `make dictionary` from .env.example. Do not edit: edit that. -->

Variables of the environment, or lines of a file `.env` in the folder in which a command is started;
the environment wins. None is needed to try it.
"""
_SETTING = re.compile(r"#?([A-Z_]+)=(.*)")
_PART = re.compile(r"# --- (.+?) -+")


def render_commands() -> str:
    """Return the page of every command, its arguments and options, as Markdown."""
    return "\n".join([_CLI_HEAD, *_commands(typer.main.get_command(app), ())])


def _commands(command: Any, path: tuple[str, ...]) -> Iterator[str]:
    below = getattr(command, "commands", None)
    if below:
        if path:
            yield f"## tidemark {' '.join(path)}\n\n{_one_line(command.help)}\n"
        for name, each in below.items():
            yield from _commands(each, (*path, name))
        return
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    options = [each for each in command.params if each.param_type_name == "option"]
    words = "".join(f" {_placeholder(each)}" for each in arguments)
    yield f"{'#' * (1 + len(path))} tidemark {' '.join(path)}\n\n{_one_line(command.help)}\n"
    yield f"```text\ntidemark {' '.join(path)}{words}{' [OPTIONS]' if options else ''}\n```\n"
    rows = [(f"`{_placeholder(each)}`", each) for each in arguments]
    rows += [(_option(each), each) for each in options]
    if rows:
        lines = "\n".join(f"| {shown} | {_meaning(each)} |" for shown, each in rows)
        yield f"| | |\n| --- | --- |\n{lines}\n"


def _placeholder(parameter: Any) -> str:
    name = parameter.name.upper()
    if parameter.nargs == -1:
        name += "..."
    return name if parameter.required else f"[{name}]"


def _option(parameter: Any) -> str:
    names = ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))
    return names if parameter.is_flag else f"{names} `{_placeholder_of(parameter)}`"


def _placeholder_of(option: Any) -> str:
    name = str(option.bare_type()).upper().removeprefix("LIST[").removesuffix("]")
    return option.metavar or name


def _meaning(parameter: Any) -> str:
    said = _one_line(getattr(parameter, "help", None) or "")
    default = parameter.default
    is_told = default is not None and not callable(default) and default is not False
    if is_told and not parameter.required and not getattr(parameter, "is_flag", False):
        said = f"{said} Default: `{default}`.".strip()
    if getattr(parameter, "multiple", False):
        said += " May be given again."
    return said.replace("|", "\\|").replace("<", "&lt;")


def render_settings(example: str) -> str:
    """Return the page of every setting as Markdown.

    Args:
        example: The text of ``.env.example``: parts, comments, a variable below each comment.
    """
    parts = [_SETTINGS_HEAD]
    said: list[str] = []
    is_table = False
    for line in example.splitlines():
        if found := _PART.match(line):
            parts.append(f"\n## {found[1].capitalize()}\n\n| variable | default | meaning |")
            parts.append("| --- | --- | --- |")
            said, is_table = [], True
        elif (found := _SETTING.fullmatch(line)) and is_table:
            default = f"`{found[2]}`" if found[2] else "none"
            meaning = " ".join(said).replace("|", "\\|") or "As above."
            parts.append(f"| `{found[1]}` | {default} | {meaning} |")
            said = []
        elif line.startswith("# "):
            said.append(line[2:])
        else:
            said = []
    return "\n".join(parts) + "\n"


def _one_line(text: str | None) -> str:
    return " ".join((text or "").split())


def main() -> None:
    """Write both pages into the folder named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    write_bytes_atomically(folder / "cli.md", render_commands().encode())
    example = (folder.parent / ".env.example").read_text()
    write_bytes_atomically(folder / "settings.md", render_settings(example).encode())


if __name__ == "__main__":
    main()
