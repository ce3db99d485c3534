"""Virtual environments of the other frameworks, made when they are first needed."""

import subprocess
import sys
import tempfile
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_CACHE = _ROOT / ".cache" / "peers"
_TAIL = 300
# Of our own code they import the decoder alone, from the checkout.
_OURS = ["msgspec==0.22.0", "numpy==2.4.6"]
PACKAGES = {
    "quix": ["quixstreams==3.28.1", "confluent-kafka==2.12.2", *_OURS],
    "bytewax": ["bytewax==0.21.1", "confluent-kafka==2.16.1", *_OURS],
}


class NotInstalled(Exception):
    """A framework cannot be had here; the message says why."""


def python(name: str) -> Path:
    """The interpreter of a framework's environment.

    Raises:
        NotInstalled: pip cannot install it.
    """
    # Named after what is in it, so that another version is another environment.
    folder = _CACHE / "-".join([name, *(each.partition("==")[2] for each in PACKAGES[name])])
    if not folder.exists():
        _make(folder, PACKAGES[name])
    return folder / "bin" / "python"


def _make(folder: Path, packages: list[str]) -> None:
    """Make it where it stays, because environments cannot be moved; a half-made one is removed."""
    _CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile() as said:
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        command = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", *packages]
        if subprocess.run(command, stdout=said, stderr=said, check=False).returncode:
            said.seek(0)
            reason = said.read().decode(errors="replace")[-_TAIL:].strip()
            subprocess.run(["rm", "-r", str(folder)], check=True)
            raise NotInstalled(f"{' '.join(packages)}: {reason}")


def title(name: str) -> str:
    """The framework and its version.

    >>> title("bytewax")
    'Bytewax 0.21.1'
    """
    package, _, version = PACKAGES[name][0].partition("==")
    return f"{ {'quixstreams': 'Quix Streams'}.get(package, package.capitalize()) } {version}"
