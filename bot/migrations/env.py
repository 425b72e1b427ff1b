"""Alembic's entry: runs the migrations on the database that `Database.migrate` names."""

from alembic import context
from sqlalchemy import NullPool, create_engine

url = context.config.attributes["url"]
if url.get_backend_name() == "sqlite":
    url = url.set(drivername="sqlite")
with create_engine(url, poolclass=NullPool).connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
