"""Opening the database: SQLite in the data folder, or another by its address; migrated where it is older."""

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from segtumor.errors import ConfigError, DataError, InstallationError

FILE_NAME = "segtumor.sqlite3"
_MIGRATIONS = Path(__file__).parent / "migrations"
_BUSY_S = 30


def open_database(folder: Path, address: str | None = None, *, versions: Path | None = None) -> sa.Engine:
    """The database of a data folder, with the tables of this version.

    Args:
        folder: where SQLite's file lies.
        address: SQLAlchemy's URL of another database, such as "postgresql+psycopg://..."; None for SQLite.
        versions: folder of migrations; None for segtumor's own.

    Raises:
        ConfigError: no such kind of database.
        InstallationError: its driver is not installed.
        DataError: it cannot be reached or read, or is of a newer version. An older one is migrated; of SQLite a copy
            of the file as it was stays beside it.
    """
    engine = _engine(folder, address)
    try:
        _bring_up_to_date(engine, folder if address is None else None, versions or _MIGRATIONS / "versions")
    except DBAPIError as error:
        engine.dispose()
        remedy = "Check --data or --database"
        raise DataError("the database cannot be used", got=_first_line(error), remedy=remedy) from error
    except BaseException:
        engine.dispose()
        raise
    return engine


def _engine(folder: Path, address: str | None) -> sa.Engine:
    """Not connected yet. Values, which may name patients, stay out of its errors and so out of logs."""
    if address is None:
        engine = sa.create_engine(
            f"sqlite:///{folder / FILE_NAME}", connect_args={"timeout": _BUSY_S}, hide_parameters=True
        )
        sa.event.listen(engine, "connect", _prepare_sqlite)
        sa.event.listen(engine, "begin", _begin_sqlite)
        return engine
    try:
        return sa.create_engine(address, pool_pre_ping=True, hide_parameters=True)
    except (ArgumentError, NoSuchModuleError) as error:
        expected = "an address such as postgresql+psycopg://USER@HOST/NAME"
        raise ConfigError("no address of a database", where="--database", expected=expected) from error
    except ModuleNotFoundError as error:
        remedy = f"Install it: pip install {error.name}"
        raise InstallationError(f"the driver {error.name} of this database is not installed", remedy=remedy) from error


def _prepare_sqlite(connection: sqlite3.Connection, _: Any) -> None:
    """WAL lets the page read while the worker writes; FULL keeps what was saved through a power cut, too."""
    connection.isolation_level = None  # the driver would begin transactions at other moments than SQLAlchemy
    for setting in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {setting}")


def _begin_sqlite(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("writes") else "BEGIN")


def _bring_up_to_date(engine: sa.Engine, folder: Path | None, versions: Path) -> None:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.set_main_option("version_locations", str(versions))
    config.set_main_option("path_separator", "newline")
    scripts = ScriptDirectory.from_config(config)
    with engine.execution_options(writes=True).begin() as connection:
        found, newest = MigrationContext.configure(connection).get_current_revision(), scripts.get_current_head()
        if found == newest:
            return
        if found is not None:
            if found not in {script.revision for script in scripts.walk_revisions()}:
                remedy = "Update segtumor, or name another folder with --data"
                what = "the database is of a newer segtumor"
                raise DataError(what, got=f"version {found}", expected=newest, remedy=remedy)
            if folder is not None:
                _copy_before(folder, found)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _copy_before(folder: Path, revision: str) -> None:
    target = folder / f"{FILE_NAME}.before-{revision}"
    with (
        contextlib.closing(sqlite3.connect(f"file:{folder / FILE_NAME}?mode=ro", uri=True)) as source,
        contextlib.closing(sqlite3.connect(target)) as copy,
    ):
        source.backup(copy)


def _first_line(error: DBAPIError) -> str:
    """What the driver says; SQLAlchemy's own text would quote the statement and its values."""
    return (str(error.orig).strip().splitlines() or [""])[0][:200]
