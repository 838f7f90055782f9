"""Alembic's entrance: runs the migrations in the transaction that ``storage.database`` has opened."""

from alembic import context

from segtumor.web.storage.schema import Base

if hasattr(context, "config"):  # run by Alembic, not imported
    context.configure(
        connection=context.config.attributes["connection"], target_metadata=Base.metadata, render_as_batch=True
    )
    with context.begin_transaction():
        context.run_migrations()
