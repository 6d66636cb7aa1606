"""What responses cost: prices of our own before the shipped table, and how they change."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime, time
from decimal import Decimal
from typing import Any, NamedTuple

from django.db import connection
from django.forms.models import model_to_dict

from sessions_app.actions.prepare_facts import MOST_COST, MOST_COST_OF_A_SESSION
from sessions_app.actions.tokens import UsageRow
from sessions_app.actions.transaction import write_transaction
from sessions_app.models import AuditEntry, ModelAlias, PriceEdition, PriceOverride, User
from sessions_app.models.fields import NANO
from sessions_app.models.price import model_name
from sessions_app.prices import SCALE, Rates, cost_at, is_priced, price_usage

ALWAYS = datetime.min.replace(tzinfo=UTC)
ROW = 1  # the only row of PriceEdition
NAMES_IN_MEMORY = 4096

PriceRow = PriceOverride | ModelAlias


class Override(NamedTuple):
    """A price of our own, ready to multiply with."""

    since: datetime
    rates: Rates


class Found(NamedTuple):
    """What there is to price a model with: our prices, the first that holds counts."""

    overrides: tuple[Override, ...]
    name: str  # under which the shipped table knows it


class PriceBook:
    """Prices and aliases as they stood at one moment, with what was looked up in them."""

    def __init__(
        self, edition: str, overrides: Iterable[PriceOverride] = (), aliases: Any = ()
    ) -> None:
        self.edition = edition
        self.aliases: dict[str, str] = dict(aliases)
        self.overrides = sorted(overrides, key=_rank, reverse=True)
        self._found: dict[tuple[str, str], Found] = {}

    def price(self, usage: UsageRow) -> Decimal | None:
        """Our estimate from tokens; None when the model has no price."""
        found = self._find(usage.model, usage.backend)
        for override in found.overrides:
            if override.since <= usage.at:
                nano: int | None = cost_at(
                    override.rates, usage.input, usage.output, usage.cache_read,
                    usage.cache_write, usage.cache_write_1h,
                )  # fmt: skip
                break
        else:
            nano = price_usage(
                found.name, usage.at, backend=usage.backend, input=usage.input,
                output=usage.output, cache_read=usage.cache_read, cache_write=usage.cache_write,
                cache_write_1h=usage.cache_write_1h,
            )  # fmt: skip
        if nano is None:
            return None
        most = MOST_COST_OF_A_SESSION if usage.is_summary else MOST_COST
        return min(Decimal(nano) / NANO, most)

    def knows(self, model: str, backend: str = "") -> bool:
        """Whether there is a price for it at all, at some time."""
        found = self._find(model, backend)
        return bool(found.overrides) or is_priced(found.name, backend)

    def _find(self, model: str, backend: str) -> Found:
        key = (model, backend)
        if key not in self._found:
            if len(self._found) >= NAMES_IN_MEMORY:
                self._found.clear()  # names come from logs: as many as somebody likes
            self._found[key] = self._look_up(model, backend)
        return self._found[key]

    def _look_up(self, model: str, backend: str) -> Found:
        """The most exact price first, of equals the latest; a name's own before its alias's."""
        name = model_name(model)
        alias = self.aliases.get(name)
        names = [name] if alias is None else [name, alias]
        fitting = [
            row for one in names for row in self.overrides if one and _fits(row, one, backend)
        ]
        overrides = tuple(Override(_since(row), _rates(row)) for row in fitting)
        return Found(overrides, model if alias is None else alias)


def _rank(row: PriceOverride) -> tuple[bool, bool, int, datetime]:
    is_exact = "*" not in row.model
    return is_exact, bool(row.backend), len(row.model), _since(row)


def _fits(row: PriceOverride, name: str, backend: str) -> bool:
    if row.backend and row.backend != backend:
        return False
    pattern = ".*".join(map(re.escape, row.model.split("*")))
    return re.fullmatch(pattern, name) is not None


def _since(row: PriceOverride) -> datetime:
    day = row.effective_from
    return ALWAYS if day is None else datetime.combine(day, time(), UTC)


def _rates(row: PriceOverride) -> Rates:
    """A kind of token without a price of its own costs what its parent kind costs."""
    read = row.input if row.cache_read is None else row.cache_read
    write = row.input if row.cache_write is None else row.cache_write
    write_1h = write if row.cache_write_1h is None else row.cache_write_1h
    values = (row.input, row.output, read, write, write_1h)
    return Rates(-1, *(int(Decimal(value) * SCALE) for value in values))


_book = PriceBook("")


def price_book() -> PriceBook:
    """The prices that hold now: one small query, and three when they have changed.

    Ask once for a transaction. Other processes see a change with their next one.
    """
    global _book
    edition = _edition()
    if edition != _book.edition:
        aliases = ModelAlias.objects.values_list("name", "model")
        _book = PriceBook(edition, PriceOverride.objects.all(), aliases)
    return _book


def _edition() -> str:
    """By hand: every append asks, and the ORM would take ten times as long."""
    with connection.cursor() as cursor:
        cursor.execute(f'SELECT token FROM "{PriceEdition._meta.db_table}" WHERE id = %s', [ROW])
        found = cursor.fetchone()
    return str(found[0]) if found else ""


def save_price(row: PriceRow, *, by: User) -> PriceRow:
    """Store a price or an alias; what is stored from now on is priced with it."""
    with write_transaction():
        row.clean()
        row.save()
        _changed("price.save", row, by)
    return row


def delete_prices(rows: Iterable[PriceRow], *, by: User) -> int:
    """Delete prices or aliases; answers how many."""
    count = 0
    with write_transaction():
        for row in rows:
            _changed("price.delete", row, by)
            row.delete()
            count += 1
    return count


def _changed(action: str, row: PriceRow, by: User) -> None:
    PriceEdition.objects.update_or_create(pk=ROW, defaults={"token": secrets.token_hex(16)})
    told = {name: str(value) for name, value in model_to_dict(row).items() if value is not None}
    AuditEntry.objects.create(
        at=datetime.now(UTC),
        actor=by,
        actor_name=by.get_username(),
        action=action,
        target=str(row)[:200],
        details=told,
    )
