"""Python imports this before all else: many threads and processes write to one SQLite database.

SQLite refuses at once to let a second one write that has begun to read; who begins with the lock waits for it.
"""

import sqlalchemy.engine
import sqlalchemy.event


@sqlalchemy.event.listens_for(sqlalchemy.engine.Engine, "begin")
def begin(connection: sqlalchemy.engine.Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
    # oslo.db's own word for "it has begun".
    connection.info["in_transaction"] = True
