"""Where people's rankings are kept: append-only, in SQLite beside the run or in any database SQLAlchemy knows."""

import json
import sqlite3
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sql
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.schema import CreateIndex, CreateTable

from anatomia.base.errors import UserError
from anatomia.feedback.ranking import Candidates, Ranking

STORE = "rankings.sqlite"
"""The store's name in a run's directory."""

_WAIT = 60.0  # seconds that a writer waits for another's transaction
_AT_A_TIME = 500  # numbers in one query

_ROWS = sql.Table(
    "rankings",
    sql.MetaData(),
    sql.Column("id", sql.Integer, primary_key=True, autoincrement=True),
    sql.Column("candidates", sql.String(32), nullable=False, index=True),
    sql.Column("annotator", sql.String(200), nullable=False, index=True),
    sql.Column("record", sql.Text, nullable=False),
    sql.Column("retracts", sql.Integer, nullable=True, index=True),
)
_TICKETS = sql.Table("tickets", _ROWS.metadata, sql.Column("ticket", sql.String(64), primary_key=True))


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
        """Keep a ranking; its number in the store.

        Raises:
            UserError: it cannot be kept, and is not.
        """
        with self._writing() as connection:
            return _added(connection, ranking)

    def add_once(self, ranking: Ranking, ticket: str) -> int | None:
        """Keep a ranking unless one came with this ticket before: its number, or None.

        An answer that is sent twice, from two windows or because nobody heard that it had arrived, is kept once.

        Args:
            ticket: at most 64 signs.

        Raises:
            UserError: it cannot be kept, and is not.
        """
        try:
            with self._writing() as connection:
                connection.execute(CreateTable(_TICKETS, if_not_exists=True))
                connection.execute(sql.insert(_TICKETS).values(ticket=ticket))
                return _added(connection, ranking)
        except IntegrityError:
            return None

    def retract(self, number: int) -> None:
        """Take back the ranking with this number. It stays in the store but is no longer listed.

        Raises:
            KeyError: there is none, or it was taken back before.
            UserError: it cannot be taken back.
        """
        with self._writing() as connection:
            row = connection.execute(self._listed().where(_ROWS.c.id == number)).one_or_none()
            if row is None:
                raise KeyError(number)
            values = {"candidates": row.candidates, "annotator": row.annotator, "record": "", "retracts": number}
            connection.execute(sql.insert(_ROWS).values(values))

    def rankings(self, annotator: str | None = None, candidates: Candidates | None = None) -> list[Ranking]:
        """What stands, oldest first; only by `annotator` or only of `candidates` if given.

        Raises:
            UserError: the store, or a ranking in it, cannot be read.
        """
        wanted = self._listed()
        if annotator is not None:
            wanted = wanted.where(_ROWS.c.annotator == annotator)
        if candidates is not None:
            wanted = wanted.where(_ROWS.c.candidates == candidates.key)
        with self._reading() as connection:
            rows = connection.execute(wanted.order_by(_ROWS.c.id)).all()
        return [self._ranking(row) for row in rows]

    def changes(self, known: Collection[int]) -> tuple[dict[int, Ranking], set[int]]:
        """What stands beside the rankings whose numbers are known, by number, and which of those no longer stand.

        Raises:
            UserError: the store, or a ranking in it, cannot be read.
        """
        with self._reading() as connection:
            numbers = set(connection.execute(self._listed().with_only_columns(_ROWS.c.id)).scalars())
            fresh = sorted(numbers.difference(known))
            rows = [
                row
                for some in range(0, len(fresh), _AT_A_TIME)
                for row in connection.execute(sql.select(_ROWS).where(_ROWS.c.id.in_(fresh[some : some + _AT_A_TIME])))
            ]
        return {row.id: self._ranking(row) for row in rows}, set(known) - numbers

    def count(self, annotator: str, candidates: Candidates) -> int:
        """How often this annotator ranked these candidates or took that back, ever.

        Raises:
            UserError: the store cannot be read.
        """
        wanted = sql.select(sql.func.count()).where(
            _ROWS.c.annotator == annotator, _ROWS.c.candidates == candidates.key
        )
        with self._reading() as connection:
            return int(connection.execute(wanted).scalar_one())

    def _ranking(self, row: sql.Row[Any]) -> Ranking:
        try:
            ranking = Ranking.from_json(json.loads(row.record))
            whole = (ranking.candidates.key, ranking.annotator) == (row.candidates, row.annotator)
        except (ValueError, KeyError, TypeError, AttributeError):
            whole = False
        if not whole:
            raise UserError(f"{self.where}: ranking {row.id} is damaged; put a copy of the file in its place")
        return ranking

    @contextmanager
    def _writing(self) -> Iterator[sql.Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except IntegrityError:
            raise
        except SQLAlchemyError as error:
            raise UserError(
                f"nothing was saved in {self.where}: {_reason(error)}; put that right and repeat"
            ) from error

    @contextmanager
    def _reading(self) -> Iterator[sql.Connection]:
        try:
            with self._engine.connect() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise UserError(
                f"the rankings in {self.where} cannot be read: {_reason(error)}; put that right, or a copy in its place"
            ) from error

    def _listed(self) -> sql.Select[Any]:
        retracted = sql.select(_ROWS.c.retracts).where(_ROWS.c.retracts.is_not(None))
        return sql.select(_ROWS).where(_ROWS.c.retracts.is_(None), _ROWS.c.id.not_in(retracted))


def _added(connection: sql.Connection, ranking: Ranking) -> int:
    record = json.dumps(ranking.to_json(), ensure_ascii=False)
    if any("\ud800" <= sign <= "\udfff" for sign in record):  # halves of a character, which UTF-8 cannot hold
        record = json.dumps(ranking.to_json())
    row = {"candidates": ranking.candidates.key, "annotator": ranking.annotator, "record": record}
    return int(connection.execute(sql.insert(_ROWS).values(row).returning(_ROWS.c.id)).scalar_one())


def _reason(error: SQLAlchemyError) -> str:
    """What the database itself said, in one line."""
    return str(getattr(error, "orig", None) or error).splitlines()[0]


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
