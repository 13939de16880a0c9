"""`python3 -m modelserver [flags]`, or the command line of an engine: what the image runs.

A first argument that is no flag begins vLLM's command line, as with the entrypoint of vLLM's own image. That of
llama.cpp's image takes llama-server's flags, so this one does with MODELSERVER_DIALECT=llamacpp.
"""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import replace

from . import nim, vllm
from .commands import COMMANDS
from .server import serve
from .settings import Settings, SettingsError, from_environment, from_flags


def resolve(arguments: list[str], engine: str = "") -> Settings:
    """Settings from the variables and the command line of an engine; the cache of a NIM is written here."""
    settings = from_environment(os.environ)
    if command := COMMANDS.get(engine or settings.dialect):
        return command(settings, arguments)
    if arguments and not arguments[0].startswith("-"):
        return vllm.serve(settings, arguments[1:] if arguments[0] == "serve" else arguments)
    settings = from_flags(settings, arguments)
    if settings.dialect in ("nim1", "nim2") or (settings.dialect == "auto" and nim.is_nim(os.environ)):
        settings = from_flags(nim.from_environment(settings, os.environ), arguments)
        nim.write_cache(settings)
        return settings
    return replace(settings, dialect="vllm") if settings.dialect == "auto" else settings


def main(engine: str = "") -> None:
    try:
        settings = resolve(sys.argv[1:], engine)
    except SettingsError as error:
        sys.exit(f"modelserver: {error}")
    asyncio.run(serve(settings))


if __name__ == "__main__":
    main()
