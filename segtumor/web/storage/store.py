"""What the page does with its database: images come in, are read, reviewed, listed and removed.

Each method is one transaction. Rows that it returns are detached: plain values, to be read, not changed. Not here: what
a reading or a review holds (``web.readings``, ``web.reviews``), which are kept as they are given.
"""

import secrets
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import joinedload, sessionmaker

from segtumor.errors import DataError
from segtumor.files import prepare_output_folder
from segtumor.web.storage.blobs import Blobs
from segtumor.web.storage.database import open_database
from segtumor.web.storage.schema import FAILED, RUNNING, WAITING, Case, HeatMap, Image, Review

Row = TypeVar("Row")

#: An image whose reading ended the process so often is not tried again.
MOST_ATTEMPTS = 2


class UnknownImageError(DataError):
    """No image, or case, of this key."""


class StaleReviewError(DataError):
    """A review of a revision that is no longer the newest; ``newest`` is."""

    newest: Review | None = None


@dataclass(frozen=True, kw_only=True)
class NewImage:
    """An image to take in; ``path`` is its file, which is copied, the other fields are those of ``schema.Image``."""

    case_name: str
    name: str
    path: Path
    is_dicom: bool
    size_hw: tuple[int, int]
    origin: str = "page"


class Store:
    """The data folder of a page, and its database.

    Attributes:
        blobs: files named by hash.

    Raises:
        OutputError: the folder cannot be written.
        ConfigError, DataError, InstallationError: as ``open_database``.
    """

    def __init__(self, folder: str | Path, database: str | None = None) -> None:
        new = not Path(folder).exists()
        self.folder = prepare_output_folder(folder)
        if new:
            self.folder.chmod(0o700)  # it holds what patients would not show
        self.blobs = Blobs(self.folder / "files")
        self._engine = open_database(self.folder, database)
        self._reading = sessionmaker(self._engine, expire_on_commit=False)
        self._writing = sessionmaker(self._engine.execution_options(writes=True), expire_on_commit=False)
        self._files = threading.Lock()  # else a file could be removed between its arrival and the row that names it

    def close(self) -> None:
        """Let the database go."""
        self._engine.dispose()

    def add(self, new: NewImage) -> tuple[Image, bool]:
        """Take an image in; (its row, whether it is new): the same file is kept once."""
        with self._files:
            return self._add(new, self.blobs.put_file(new.path))

    def _add(self, new: NewImage, file_sha256: str) -> tuple[Image, bool]:
        with self._writing.begin() as session:
            known = session.scalar(_with_case().where(Image.file_sha256 == file_sha256))
            if known is not None:
                return known, False
            case = session.scalar(sa.select(Case).where(Case.name == new.case_name))
            if case is None:
                case = Case(key=_key("c"), name=new.case_name, arrived=_now())
                session.add(case)
            image = Image(
                key=_key("i"),
                case=case,
                name=new.name,
                file_sha256=file_sha256,
                is_dicom=new.is_dicom,
                origin=new.origin,
                arrived=_now(),
                status=WAITING,
                attempts=0,
                reviewed=False,
                height_px=new.size_hw[0],
                width_px=new.size_hw[1],
            )
            session.add(image)
        return image, True

    def image(self, key: str) -> Image:
        """An image with its case; raises UnknownImageError."""
        with self._reading() as session:
            return _known(session.scalar(_with_case().where(Image.key == key)))

    def case(self, key: str) -> Case:
        """A case with its images; raises UnknownImageError."""
        with self._reading() as session:
            return _known(session.scalar(sa.select(Case).where(Case.key == key).options(joinedload(Case.images))))

    def images(self) -> list[Image]:
        """All images with their cases, in the order of their arrival."""
        with self._reading() as session:
            return list(session.scalars(_with_case().order_by(Image.number)))

    def count_waiting(self) -> int:
        """How many images wait for a reading, or are being read."""
        with self._reading() as session:
            waiting = sa.select(sa.func.count()).where(Image.status.in_((WAITING, RUNNING)))
            return session.scalar(waiting) or 0

    def seconds_left(self) -> float | None:
        """Until all are read, from the newest twenty readings; None where nothing waits, or nothing is known."""
        waiting = self.count_waiting()
        newest = sa.select(Image.seconds).where(Image.seconds.is_not(None)).order_by(Image.number.desc()).limit(20)
        with self._reading() as session:
            mean = session.scalar(sa.select(sa.func.avg(newest.subquery().c.seconds)))
        return waiting * mean if waiting and mean is not None else None

    def start_again(self) -> None:
        """After a start: what was being read when the process ended waits again, or fails if it ended it before."""
        with self._writing.begin() as session:
            running = sa.update(Image).where(Image.status == RUNNING)
            reason = "The process ended while this image was read; it may be too large for the memory of this machine."
            failing = running.where(Image.attempts >= MOST_ATTEMPTS)
            session.execute(failing.values(status=FAILED, reason=reason))
            session.execute(running.values(status=WAITING))

    def next_waiting(self) -> Image | None:
        """The image that has waited longest, from now on running; None where none waits."""
        with self._writing.begin() as session:
            waiting = _with_case().where(Image.status == WAITING).order_by(Image.number).limit(1)
            image = session.scalar(waiting)
            if image is not None:
                image.status, image.attempts = RUNNING, image.attempts + 1
        return image

    def finish(self, key: str, reading: bytes | None = None, **values: Any) -> None:
        """Keep what became of an image: its reading, ``status`` and further columns; nothing if it was removed."""
        with self._files:
            sha256 = None if reading is None else self.blobs.put(reading)
            with self._writing.begin() as session:
                session.execute(sa.update(Image).where(Image.key == key).values(reading_sha256=sha256, **values))
            self._forget({sha256})

    def add_map(self, key: str, name: str, png: bytes) -> None:
        """Keep a heat map of an image; nothing if the image was removed meanwhile, or it is there."""
        with self._files:
            sha256 = self.blobs.put(png)
            with self._writing.begin() as session:
                number = session.scalar(sa.select(Image.number).where(Image.key == key))
                there = sa.select(HeatMap).where(HeatMap.image_number == number, HeatMap.name == name)
                if number is not None and session.scalar(there) is None:
                    session.add(HeatMap(image_number=number, name=name, file_sha256=sha256))
            self._forget({sha256})

    def maps(self, image: Image) -> dict[str, str]:
        """{name: hash} of the heat maps of an image."""
        with self._reading() as session:
            rows = session.scalars(sa.select(HeatMap).where(HeatMap.image_number == image.number))
            return {row.name: row.file_sha256 for row in rows}

    def reviews(self, image: Image) -> list[Review]:
        """All of an image, oldest first."""
        with self._reading() as session:
            wanted = sa.select(Review).where(Review.image_number == image.number).order_by(Review.revision)
            return list(session.scalars(wanted))

    def newest_reviews(self) -> dict[int, Review]:
        """{number of the image: its newest review}."""
        newest = sa.select(Review.image_number, sa.func.max(Review.revision).label("revision"))
        latest = newest.group_by(Review.image_number).subquery()
        same = sa.and_(Review.image_number == latest.c.image_number, Review.revision == latest.c.revision)
        with self._reading() as session:
            return {row.image_number: row for row in session.scalars(sa.select(Review).join(latest, same))}

    def add_review(self, key: str, *, based_on: int, user: str, document: str, complete: bool) -> Review:
        """Keep a review.

        Args:
            based_on: revision that was changed, 0 for none.
            complete: whether it judges every finding shown.

        Raises:
            UnknownImageError: no such image.
            StaleReviewError: somebody saved another one meanwhile.
        """
        with self._writing.begin() as session:
            image = _known(session.scalar(sa.select(Image).where(Image.key == key).with_for_update()))
            newest = session.scalar(_newest_review(image.number))
            if newest is not None:
                session.expunge(newest)  # it goes out with the error, after the transaction
            if (newest.revision if newest else 0) != based_on:
                error = StaleReviewError("somebody saved another review meanwhile", remedy="Look at it, and save again")
                error.newest = newest
                raise error
            review = Review(
                image_number=image.number, revision=based_on + 1, user=user, saved=_now(), document=document
            )
            session.add(review)
            image.reviewed = complete
        return review

    def remove(self, keys: Iterable[str]) -> int:
        """Remove images with all that is known of them, and cases left without one; how many there were."""
        with self._files:
            images, hashes = self._removed(list(keys))
            self._forget(hashes)
        return images

    def _removed(self, keys: Sequence[str]) -> tuple[int, set[str | None]]:
        """How many rows were removed, and the files that they named."""
        with self._writing.begin() as session:
            images = list(session.scalars(sa.select(Image).where(Image.key.in_(keys))))
            numbers = [image.number for image in images]
            maps = list(session.scalars(sa.select(HeatMap).where(HeatMap.image_number.in_(numbers))))
            for table in (HeatMap, Review):
                session.execute(sa.delete(table).where(table.image_number.in_(numbers)))
            session.execute(sa.delete(Image).where(Image.number.in_(numbers)))
            session.execute(sa.delete(Case).where(~sa.exists().where(Image.case_number == Case.number)))
        named = {sha256 for image in images for sha256 in (image.file_sha256, image.reading_sha256)}
        return len(images), named | {heat.file_sha256 for heat in maps}

    def _forget(self, hashes: set[str | None]) -> None:
        """Remove files that nothing names any more; two images may have equal readings, or maps."""
        columns = (Image.file_sha256, Image.reading_sha256, HeatMap.file_sha256)
        with self._reading() as session:
            named = set(session.scalars(sa.union_all(*(sa.select(c).where(c.in_(hashes)) for c in columns))))
        self.blobs.remove(sha256 for sha256 in hashes - named if sha256)

    def keys_before(self, moment: datetime) -> list[str]:
        """Of the images that arrived before a moment (UTC)."""
        with self._reading() as session:
            return list(session.scalars(sa.select(Image.key).where(Image.arrived < moment.replace(tzinfo=None))))

    def read(self, statement: sa.Select[*tuple[Any, ...]]) -> Sequence[sa.Row[*tuple[Any, ...]]]:
        """Rows of a query of another file, such as the worklist's."""
        with self._reading() as session:
            return session.execute(statement).all()


def _with_case() -> sa.Select[Image]:
    return sa.select(Image).options(joinedload(Image.case))


def _newest_review(image_number: int) -> sa.Select[Review]:
    return sa.select(Review).where(Review.image_number == image_number).order_by(Review.revision.desc()).limit(1)


def _known(row: Row | None) -> Row:
    if row is None:
        raise UnknownImageError("there is no such image or case", remedy="It may have been removed; reload the page")
    return row


def _key(kind: str) -> str:
    """What it is called in addresses: nothing can be guessed from it."""
    return f"{kind}-{secrets.token_hex(8)}"


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)
