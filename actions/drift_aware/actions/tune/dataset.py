"""The step that writes training data: two files of chats, and a manifest that says what is in them."""

import hashlib
from collections import Counter as Tally
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO, get_args

import msgspec
from psycopg.rows import dict_row

from drift_aware.actions.errors import ActionFailed
from drift_aware.actions.executor import Job, Result
from drift_aware.actions.tune.examples import Left, Sieve, in_validation, line_of, wrong_with
from drift_aware.actions.tune.tokens import TURN_TOKENS, Counter, counter, training_usd
from drift_aware.schema.errors import SettingsError
from drift_aware.schema.prices import Price
from drift_aware.schema.redaction import Redaction
from drift_aware.schema.segments import DIMENSIONS
from drift_aware.schema.tune_settings import Tune
from drift_aware.sql.export import FETCHED_ROWS, dimensions_of, liked
from drift_aware.sql.export_files import written_whole
from drift_aware.sql.queries import QUERIES

STEP = "dataset"
TRAIN, VALIDATION, MANIFEST = "train.jsonl", "validation.jsonl", "manifest.json"
LEFT_OUT = get_args(Left)


@dataclass(frozen=True)
class DataSet:
    """Writes the answers people liked before the alert.

    Attributes:
        settings: the section ``actions.tune``.
        redaction: of the texts; None keeps them.
        price: of the model that is trained; None if it is not known.
    """

    settings: Tune
    redaction: Redaction | None
    price: Price | None

    def do(self, job: Job) -> Result:
        """Write the files; the manifest comes last, so what has one is whole.

        Raises:
            ActionFailed: there are too few examples, or the folder cannot be written.
        """
        folder = self._folder(job)
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise ActionFailed(
                f"cannot make {folder}: {error.strerror}; set actions.tune.directory"
            ) from None
        try:
            manifest = self._write(job, folder)
        except SettingsError as error:
            raise ActionFailed(str(error)) from None
        if manifest["train"] < self.settings.least_examples:
            raise ActionFailed(
                f"only {manifest['train']} examples to train on in the {self.settings.days} days before the "
                f"alert, and {self.settings.least_examples} are needed; wait for more feedback, or lower "
                "actions.tune.min_score"
            )
        with written_whole(folder / MANIFEST) as file:
            file.write(msgspec.json.format(msgspec.json.encode(manifest), indent=2))
        return self._result(folder, manifest)

    def find(self, job: Job) -> Result | None:
        """What has been written whole, on this machine."""
        folder = self._folder(job)
        try:
            manifest = msgspec.json.decode((folder / MANIFEST).read_bytes())
            whole = all(digest(folder / name) == known for name, known in manifest["sha256"].items())
        except (OSError, msgspec.DecodeError, KeyError):
            return None
        return self._result(folder, manifest) if whole else None

    def _folder(self, job: Job) -> Path:
        return self.settings.directory.absolute() / job.key(STEP)

    def _result(self, folder: Path, manifest: dict[str, Any]) -> Result:
        told = ("train", "validation", "tokens", "usd", "sha256")
        return {"folder": str(folder)} | {name: manifest[name] for name in told}

    def _write(self, job: Job, folder: Path) -> dict[str, Any]:
        provider = self.settings.openai
        tokens = counter(provider.model if provider else None, exact=self.settings.exact_tokens)
        gathered = self._gather(job, folder, tokens)
        return {
            "action": job.action.id,
            "segment": job.action.segment,
            "train": gathered[TRAIN],
            "validation": gathered[VALIDATION],
            "left_out": {name: gathered[name] for name in LEFT_OUT if gathered[name]},
            "tokens": gathered["tokens"],
            "tokens_exact": tokens.exact,
            "usd": training_usd(gathered["tokens"], provider.epochs if provider else None, self.price),
            "sha256": {name: digest(folder / name) for name in (TRAIN, VALIDATION)},
        }

    def _gather(self, job: Job, folder: Path, tokens: Counter) -> Tally[str]:
        """Write both files; how many went where, and the tokens to train on."""
        sieve, tally = Sieve(self.settings, self.redaction), Tally[str]()
        system_prompt, most = self.settings.system_prompt, self.settings.most_examples
        with written_whole(folder / TRAIN) as train, written_whole(folder / VALIDATION) as validation:
            files = {TRAIN: train, VALIDATION: validation}
            for row in self._rows(job):
                if isinstance(pair := sieve.take(row), str):
                    tally[pair] += 1
                    continue
                name = VALIDATION if in_validation(pair[0], self.settings.validation_share) else TRAIN
                _add(files[name], line_of(*pair, system_prompt))
                if name == TRAIN:
                    turns = filter(None, (*pair, system_prompt))
                    tally["tokens"] += sum(tokens.count(turn) + TURN_TOKENS for turn in turns)
                tally[name] += 1
                done = tally[TRAIN] + tally[VALIDATION]
                job.progress(done, most)
                if done == most:
                    break
        return tally

    def _rows(self, job: Job) -> Iterator[dict[str, Any]]:
        until = datetime.fromtimestamp(job.action.ts / 1000, UTC)
        dimensions = dict.fromkeys(DIMENSIONS) | dimensions_of(job.action.segment)
        given = dimensions | {
            "since": until - timedelta(days=self.settings.days),
            "until": until,
            "min_score": self.settings.min_score,
        }
        with (
            job.connect() as connection,
            connection.transaction(),
            connection.cursor("tuning", row_factory=dict_row) as cursor,
        ):
            cursor.itersize = FETCHED_ROWS
            cursor.execute(QUERIES["tuning_rows"].format(liked=liked()), given)
            yield from cursor


def digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _add(file: BinaryIO, line: bytes) -> None:
    wrong = wrong_with(line)
    assert wrong is None, wrong
    file.write(line + b"\n")
