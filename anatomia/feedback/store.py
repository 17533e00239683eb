"""Where people's rankings are kept: append-only, in SQLite beside the run or in any database SQLAlchemy knows."""

import json
import sqlite3
import time
from pathlib import Path
from typing import Any

import sqlalchemy as sql
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.schema import CreateIndex, CreateTable

from anatomia.base.errors import UserError
from anatomia.feedback.ranking import Candidates, Ranking

STORE = "rankings.sqlite"
"""The store's name in a run's directory."""

_WAIT = 60.0  # seconds that a writer waits for another's transaction

_ROWS = sql.Table(
    "rankings",
    sql.MetaData(),
    sql.Column("id", sql.Integer, primary_key=True, autoincrement=True),
    sql.Column("candidates", sql.String(32), nullable=False, index=True),
    sql.Column("annotator", sql.String(200), nullable=False, index=True),
    sql.Column("record", sql.Text, nullable=False),
    sql.Column("retracts", sql.Integer, nullable=True, index=True),
)


class RankingStore:
    """Rankings in the order they were given. Rows are only ever added; taking one back is a row too.

    Several processes may use one store at once: each call is one short transaction. No connection outlives a call, so
    that between calls the SQLite file is whole by itself (the last to close it folds the write-ahead log in).

    Args:
        where: the path of an SQLite file (made if missing) or an SQLAlchemy URL ("postgresql+psycopg://…").

    Raises:
        UserError: it cannot be opened.
    """

    def __init__(self, where: Path | str) -> None:
        self.where = str(where)
        url = self.where if "://" in self.where else f"sqlite:///{Path(where).resolve()}"
        try:
            self._engine = sql.create_engine(
                url,
                poolclass=sql.NullPool,
                connect_args={"timeout": _WAIT} if url.startswith("sqlite") else {},
            )
            if self._engine.dialect.name == "sqlite":
                sql.event.listen(self._engine, "connect", _prepare_sqlite)
            with self._engine.begin() as connection:
                connection.execute(CreateTable(_ROWS, if_not_exists=True))
                for index in sorted(_ROWS.indexes, key=lambda index: str(index.name)):
                    connection.execute(CreateIndex(index, if_not_exists=True))
        except (SQLAlchemyError, ImportError) as error:
            raise UserError(f"the rankings in {self.where} cannot be opened: {str(error).splitlines()[0]}") from error

    def add(self, ranking: Ranking) -> int:
        """Keep a ranking; its number in the store."""
        record = json.dumps(ranking.to_json(), ensure_ascii=False)
        row = {"candidates": ranking.candidates.key, "annotator": ranking.annotator, "record": record}
        with self._engine.begin() as connection:
            return int(connection.execute(sql.insert(_ROWS).values(row).returning(_ROWS.c.id)).scalar_one())

    def retract(self, number: int) -> None:
        """Take back the ranking with this number. It stays in the store but is no longer listed.

        Raises:
            KeyError: there is none, or it was taken back before.
        """
        with self._engine.begin() as connection:
            row = connection.execute(self._listed().where(_ROWS.c.id == number)).one_or_none()
            if row is None:
                raise KeyError(number)
            values = {"candidates": row.candidates, "annotator": row.annotator, "record": "", "retracts": number}
            connection.execute(sql.insert(_ROWS).values(values))

    def rankings(self, annotator: str | None = None, candidates: Candidates | None = None) -> list[Ranking]:
        """What stands, oldest first; only by `annotator` or only of `candidates` if given."""
        wanted = self._listed()
        if annotator is not None:
            wanted = wanted.where(_ROWS.c.annotator == annotator)
        if candidates is not None:
            wanted = wanted.where(_ROWS.c.candidates == candidates.key)
        with self._engine.connect() as connection:
            rows = connection.execute(wanted.order_by(_ROWS.c.id)).all()
        return [Ranking.from_json(json.loads(row.record)) for row in rows]

    def _listed(self) -> sql.Select[Any]:
        retracted = sql.select(_ROWS.c.retracts).where(_ROWS.c.retracts.is_not(None))
        return sql.select(_ROWS).where(_ROWS.c.retracts.is_(None), _ROWS.c.id.not_in(retracted))


def _prepare_sqlite(connection: Any, record: Any) -> None:
    """Readers do not wait for writers, and what was added is on the disk when `add` returns."""
    connection.execute("PRAGMA synchronous=FULL")
    give_up = time.monotonic() + _WAIT
    while True:
        try:  # SQLite's own waiting does not cover the first switch to the write-ahead log
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > give_up:
                raise
            time.sleep(0.01)
