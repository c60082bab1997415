"""Alembic's entry: runs steps on the connection that `schema` hands over."""

from alembic import context

from flair_indexer.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
