"""What the page keeps survives a restart, a crash and a new version."""

import os
import shutil
import sqlite3
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from pages import picture

from segtumor.errors import ConfigError, DataError, InstallationError
from segtumor.web.storage import database
from segtumor.web.storage.database import FILE_NAME, open_database
from segtumor.web.storage.schema import FAILED, RUNNING, WAITING, Base
from segtumor.web.storage.store import MOST_ATTEMPTS, NewImage, StaleReviewError, Store
from segtumor.web.storage.worklist import worklist

VERSIONS = database._MIGRATIONS / "versions"


def add(store, name="a.png", content=None, case="c"):
    path = store.folder / "sent"
    path.write_bytes(content or picture(0))
    image, _ = store.add(NewImage(case_name=case, name=name, path=path, is_dicom=False, size_hw=(60, 80)))
    return image


def test_migrations_end_at_the_tables(store):
    with store._engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_everything_is_there_after_a_restart(tmp_path):
    first = Store(tmp_path)
    image = add(first)
    first.add_review(image.key, based_on=0, user="R", document="{}", complete=True)
    first.close()
    again = Store(tmp_path)
    assert again.image(image.key).reviewed and [r.user for r in again.reviews(image)] == ["R"]
    assert again.blobs.get(image.file_sha256) == picture(0)
    again.close()


def test_images_are_read_in_the_order_of_their_arrival(store):
    keys = [add(store, content=picture(0, shade=n)).key for n in range(3)]
    assert [store.next_waiting().key for _ in keys] == keys and store.next_waiting() is None


def test_what_was_being_read_is_read_again_but_not_for_ever(store):
    key = add(store).key
    for attempt in range(1, MOST_ATTEMPTS + 1):
        assert store.next_waiting().attempts == attempt and store.image(key).status == RUNNING
        store.start_again()
        assert store.image(key).status == (WAITING if attempt < MOST_ATTEMPTS else FAILED)
    assert "memory" in store.image(key).reason


def test_a_review_of_an_older_revision_is_refused(store):
    key = add(store).key
    store.add_review(key, based_on=0, user="A", document="{}", complete=False)
    with pytest.raises(StaleReviewError) as caught:
        store.add_review(key, based_on=0, user="B", document="{}", complete=False)
    assert caught.value.newest.user == "A" and len(store.reviews(store.image(key))) == 1


def test_a_file_of_two_images_stays_until_both_are_gone(store):
    one, two = add(store), add(store, content=picture(1))
    for image in (one, two):
        store.finish(image.key, b"the same reading", status="done")
    shared = store.image(one.key).reading_sha256
    store.remove([one.key])
    assert store.blobs.path(shared).exists() and not store.blobs.path(one.file_sha256).exists()
    store.remove([two.key])
    assert not store.blobs.path(shared).exists()


def test_a_reading_of_an_image_that_was_removed_meanwhile_is_not_kept(store):
    key = add(store).key
    store.remove([key])
    store.finish(key, b"late", status="done")
    store.add_map(key, "gradcam", b"late too")
    assert not [path for path in (store.folder / "files").rglob("*") if path.is_file()]


def test_old_images_are_found_by_their_arrival(store):
    image = add(store)
    assert store.keys_before(image.arrived) == []
    assert store.keys_before(image.arrived + timedelta(seconds=1)) == [image.key]


def test_killed_at_any_moment_no_saved_review_is_lost(tmp_path):
    """The process is killed while it saves as fast as it can; what it had been told was saved is there."""
    code = """
        import sys
        from pathlib import Path
        from segtumor.web.storage.store import NewImage, Store
        store = Store(sys.argv[1])
        Path(sys.argv[1], "sent").write_bytes(b"x")
        image, _ = store.add(
            NewImage(case_name="c", name="a", path=Path(sys.argv[1], "sent"), is_dicom=False, size_hw=(1, 1))
        )
        for revision in range(100000):
            store.add_review(image.key, based_on=revision, user="R", document=str(revision), complete=False)
            print(revision + 1, flush=True)
    """
    command = [sys.executable, "-c", textwrap.dedent(code), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            if int(line) == 20:
                process.kill()
                break
        said = [20, *map(int, process.stdout.read().split())]
    store = Store(tmp_path)
    revisions = [review.revision for review in store.reviews(store.images()[0])]
    assert revisions == list(range(1, len(revisions) + 1)) and len(revisions) >= said[-1]
    store.close()


def newer_versions(folder):
    """Migrations of a coming version: one more table."""
    shutil.copytree(VERSIONS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "v9999_next.py").write_text(
        "from alembic import op\nimport sqlalchemy as sa\nrevision, down_revision = '9999', '0001'\n"
        "def upgrade():\n    op.create_table('more', sa.Column('number', sa.Integer(), primary_key=True))\n"
    )
    return folder


def test_an_older_database_is_migrated_and_a_copy_stays(tmp_path):
    store = Store(tmp_path)
    add(store, name="kept.png")
    store.close()
    engine = open_database(tmp_path, versions=newer_versions(tmp_path / "versions"))
    assert {"more", "images"} <= set(sa.inspect(engine).get_table_names())
    engine.dispose()
    copy = sqlite3.connect(tmp_path / f"{FILE_NAME}.before-0001")
    assert copy.execute("SELECT name FROM images").fetchall() == [("kept.png",)]
    assert "more" not in [name for (name,) in copy.execute("SELECT name FROM sqlite_master")]
    copy.close()


def test_a_newer_database_is_refused_and_left_alone(tmp_path):
    open_database(tmp_path, versions=newer_versions(tmp_path / "versions")).dispose()
    with pytest.raises(DataError, match="newer segtumor"):
        Store(tmp_path)


def test_a_damaged_database_is_told(tmp_path):
    (tmp_path / FILE_NAME).write_bytes(b"no database" * 100)
    with pytest.raises(DataError, match="database cannot be used"):
        Store(tmp_path)


@pytest.mark.skipif("SEGTUMOR_TEST_DATABASE" not in os.environ, reason="SEGTUMOR_TEST_DATABASE names no empty database")
def test_another_database_keeps_the_same(tmp_path):
    """Of SQLAlchemy's address in the variable, such as postgresql+psycopg://USER:PASSWORD@127.0.0.1/NAME."""
    store = Store(tmp_path, os.environ["SEGTUMOR_TEST_DATABASE"])
    key = add(store, name="a.png", case="first").key
    assert store.next_waiting().key == key and store.next_waiting() is None
    store.finish(key, b"reading", status="done", tumour=0.5, malignant=0.1, called="benign", seconds=0.1)
    found = worklist(store, search="FIR", sort="malignant", status="done")
    assert found.total == 1 and found.cases[0].called == "benign"

    def save(user):
        try:
            return store.add_review(key, based_on=0, user=user, document="{}", complete=True).revision
        except StaleReviewError:
            return "stale"

    with ThreadPoolExecutor(8) as pool:
        assert sorted(map(str, pool.map(save, "abcdefgh"))) == ["1", *["stale"] * 7]
    assert store.remove([key]) == 1 and worklist(store).total == 0
    store.close()


@pytest.mark.parametrize(
    ("address", "error"),
    [("nonsense", ConfigError), ("nothing://x/y", ConfigError), ("mssql+pyodbc://u@h/d", InstallationError)],
)
def test_another_database_that_cannot_be_had(tmp_path, address, error):
    with pytest.raises(error):
        open_database(tmp_path, address)
