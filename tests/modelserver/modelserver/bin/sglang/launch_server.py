"""SGLang's command."""

from modelserver.__main__ import main

if __name__ == "__main__":
    main("sglang")
