"""`python3 -m modelserver [flags]`, or `vllm serve MODEL [flags]`: what the image runs.

A first argument that is no flag begins vLLM's command line, as with the entrypoint of vLLM's own image.
"""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import replace

from . import nim, vllm
from .server import serve
from .settings import Settings, SettingsError, from_environment, from_flags


def resolve(arguments: list[str]) -> Settings:
    """Settings from the variables and the command line; the cache of a NIM is written here."""
    settings = from_environment(os.environ)
    if arguments and not arguments[0].startswith("-"):
        return vllm.serve(settings, arguments[1:] if arguments[0] == "serve" else arguments)
    settings = from_flags(settings, arguments)
    if settings.dialect in ("nim1", "nim2") or (settings.dialect == "auto" and nim.is_nim(os.environ)):
        settings = from_flags(nim.from_environment(settings, os.environ), arguments)
        nim.write_cache(settings)
        return settings
    return replace(settings, dialect="vllm")


def main() -> None:
    try:
        settings = resolve(sys.argv[1:])
    except SettingsError as error:
        sys.exit(f"modelserver: {error}")
    asyncio.run(serve(settings))


if __name__ == "__main__":
    main()
