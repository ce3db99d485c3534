"""Write every file of the documentation that is made from the code: ``python -m writers``."""

import sys
from pathlib import Path

from writers.files import FILES, ROOT


def main() -> None:
    """Bring the files up to date and say which have changed."""
    for name, made in FILES.items():
        if _write(ROOT / name, made()):
            sys.stdout.write(f"wrote {name}\n")


def _write(file: Path, text: str) -> bool:
    if file.exists() and file.read_text("utf-8") == text:
        return False
    file.parent.mkdir(exist_ok=True)
    file.write_text(text, "utf-8")
    return True


if __name__ == "__main__":
    main()
