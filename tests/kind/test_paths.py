"""Build products are made again when, and only when, what they are made from changes."""

from pathlib import Path

from tests.kind.paths import content_key


def test_key_changes_with_content_name_and_mode(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text("one")
    keys = [content_key(tmp_path)]
    file.write_text("two")
    keys.append(content_key(tmp_path))
    file.chmod(0o755)
    keys.append(content_key(tmp_path))
    file.rename(tmp_path / "b.py")
    keys.append(content_key(tmp_path))

    assert len(set(keys)) == 4


def test_key_ignores_compiled_files_and_the_place(tmp_path: Path) -> None:
    for folder in (tmp_path / "one", tmp_path / "two"):
        folder.mkdir()
        (folder / "a.py").write_text("same")
    cached = tmp_path / "two" / "__pycache__"
    cached.mkdir()
    (cached / "a.pyc").write_bytes(b"compiled")

    assert content_key(tmp_path / "one") == content_key(tmp_path / "two")


def test_key_separates_neighbouring_inputs() -> None:
    assert content_key("ab", "c") != content_key("a", "bc")
