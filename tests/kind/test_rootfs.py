"""The container root is installed from the mirror that the host already uses."""

from pathlib import Path

import pytest

from tests.kind.rootfs import host_mirror

DEB822 = """Types: deb
# http://old.example/debian
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
"""


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("sources.list.d/debian.sources", DEB822, ["http://mirror.example/debian"]),
        (
            "sources.list",
            "deb [signed-by=/k] http://mirror.example/debian bookworm main\n",
            ["http://mirror.example/debian"],
        ),
        ("sources.list", "deb http://mirror.example/debian-security bookworm-security main\n", []),
        ("sources.list", "# deb http://mirror.example/debian bookworm main\n", []),
        ("sources.list", "deb http://mirror.example/debian trixie main\n", []),
    ],
)
def test_host_mirror(tmp_path: Path, name: str, content: str, expected: list[str]) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(content)

    assert host_mirror(tmp_path) == expected
