"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make them."""
    op.create_table(
        "cases",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("arrived", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_cases"),
        sa.UniqueConstraint("key", name="uq_cases_key"),
        sa.UniqueConstraint("name", name="uq_cases_name"),
    )
    op.create_table(
        "images",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("case_number", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("file_sha256", sa.String(), nullable=False),
        sa.Column("is_dicom", sa.Boolean(), nullable=False),
        sa.Column("origin", sa.String(), nullable=False),
        sa.Column("arrived", sa.DateTime(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("width_px", sa.Integer(), nullable=False),
        sa.Column("height_px", sa.Integer(), nullable=False),
        sa.Column("window_low", sa.Double(), nullable=True),
        sa.Column("window_high", sa.Double(), nullable=True),
        sa.Column("tumour", sa.Double(), nullable=True),
        sa.Column("malignant", sa.Double(), nullable=True),
        sa.Column("called", sa.String(), nullable=True),
        sa.Column("seconds", sa.Double(), nullable=True),
        sa.Column("reading_sha256", sa.String(), nullable=True),
        sa.Column("reviewed", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_images"),
        sa.ForeignKeyConstraint(["case_number"], ["cases.number"], name="fk_images_case_number"),
        sa.UniqueConstraint("key", name="uq_images_key"),
        sa.UniqueConstraint("file_sha256", name="uq_images_file_sha256"),
    )
    op.create_index("ix_images_case_number", "images", ["case_number"])
    op.create_index("ix_images_status_number", "images", ["status", "number"])
    op.create_table(
        "heat_maps",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("image_number", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("file_sha256", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_heat_maps"),
        sa.ForeignKeyConstraint(
            ["image_number"], ["images.number"], name="fk_heat_maps_image_number", ondelete="CASCADE"
        ),
        sa.UniqueConstraint("image_number", "name", name="uq_heat_maps_image_number_name"),
    )
    op.create_table(
        "reviews",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("image_number", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("user", sa.String(), nullable=False),
        sa.Column("saved", sa.DateTime(), nullable=False),
        sa.Column("document", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_reviews"),
        sa.ForeignKeyConstraint(
            ["image_number"], ["images.number"], name="fk_reviews_image_number", ondelete="CASCADE"
        ),
        sa.UniqueConstraint("image_number", "revision", name="uq_reviews_image_number_revision"),
    )
