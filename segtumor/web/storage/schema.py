"""The tables. What is large lies in files that are named here by their hash (``blobs``).

A change here needs a migration (``migrations/versions``), which a test compares with these tables.
"""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, MetaData, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

WAITING, RUNNING, DONE, FAILED = "waiting", "running", "done", "failed"
#: What an image, and a case, can be.
STATUSES = (WAITING, RUNNING, DONE, FAILED)


class Base(DeclarativeBase):
    """Of all tables. Constraints have names, without which they could not be changed later."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class Case(Base):
    """Images that belong together: a patient's study.

    Attributes:
        key: what it is called in addresses; drawn at random.
        name: what people call it; shown on the page and in exports, never in an address, a log or a file name.
    """

    __tablename__ = "cases"

    number: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str] = mapped_column(unique=True)
    arrived: Mapped[datetime]
    images: Mapped[list["Image"]] = relationship(back_populates="case", order_by="Image.number")


class Image(Base):
    """A radiograph, and what became of it.

    Attributes:
        key: as of a case.
        name: as its file was called; as a case's.
        file_sha256: of its file, in ``blobs``; a file is kept once.
        is_dicom: whether it is a DICOM file.
        origin: where it came from: "page", or a PACS.
        status: one of ``STATUSES``; with ``reason`` if failed.
        attempts: how often its reading was begun; the process may have been killed.
        width_px, height_px: size of the radiograph.
        window_low, window_high: gray values made black and white at first, [0, 1]; None before it is read.
        tumour, malignant: scores of the image, [0, 1]; None before, and where the model knows no such class.
        called: class of the whole image, "normal" among them.
        seconds: from the file to the reading.
        reading_sha256: of the reading, in ``blobs``; None before.
        reviewed: whether the newest review judges every finding that is shown.
    """

    __tablename__ = "images"
    __table_args__ = (Index("ix_images_status_number", "status", "number"),)

    number: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    case_number: Mapped[int] = mapped_column(ForeignKey("cases.number"), index=True)
    name: Mapped[str]
    file_sha256: Mapped[str] = mapped_column(unique=True)
    is_dicom: Mapped[bool]
    origin: Mapped[str]
    arrived: Mapped[datetime]
    status: Mapped[str]
    reason: Mapped[str | None]
    attempts: Mapped[int] = mapped_column(default=0)
    width_px: Mapped[int]
    height_px: Mapped[int]
    window_low: Mapped[float | None]
    window_high: Mapped[float | None]
    tumour: Mapped[float | None]
    malignant: Mapped[float | None]
    called: Mapped[str | None]
    seconds: Mapped[float | None]
    reading_sha256: Mapped[str | None]
    reviewed: Mapped[bool] = mapped_column(default=False)
    case: Mapped[Case] = relationship(back_populates="images")


class HeatMap(Base):
    """A heat map of an image: a gray PNG in ``blobs``."""

    __tablename__ = "heat_maps"
    __table_args__ = (UniqueConstraint("image_number", "name"),)

    number: Mapped[int] = mapped_column(primary_key=True)
    image_number: Mapped[int] = mapped_column(ForeignKey("images.number", ondelete="CASCADE"))
    name: Mapped[str]
    file_sha256: Mapped[str]


class Review(Base):
    """What a reader said of an image; each save is a row of its own, and none is ever changed.

    Attributes:
        revision: 1, 2, ... of the image.
        user: the name that the reader gave.
        document: findings and comment as JSON (``web.reviews``).
    """

    __tablename__ = "reviews"
    __table_args__ = (UniqueConstraint("image_number", "revision"),)

    number: Mapped[int] = mapped_column(primary_key=True)
    image_number: Mapped[int] = mapped_column(ForeignKey("images.number", ondelete="CASCADE"))
    revision: Mapped[int]
    user: Mapped[str]
    saved: Mapped[datetime]
    document: Mapped[str]
