"""Imported at Python's startup, so that many threads and processes can write to one SQLite database.

SQLite rejects a write at once if the transaction began with a read; one that begins with the lock waits instead.
"""

import sqlalchemy.engine
import sqlalchemy.event


@sqlalchemy.event.listens_for(sqlalchemy.engine.Engine, "begin")
def begin(connection: sqlalchemy.engine.Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
    # oslo.db's own word for "it has begun".
    connection.info["in_transaction"] = True
