"""Items in the database: the tables and their statements."""

from decimal import Decimal

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    Integer,
    LargeBinary,
    String,
    bindparam,
    delete,
    select,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.items.models import Attachment, Item, NewItem
from app.tables import Base
from vitals.database import Database


class ItemRow(Base):
    """An item. Its price is stored in cents, which is exact in every database."""

    __tablename__ = "items"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012 - an id is never used twice

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    price_cents: Mapped[int] = mapped_column(BigInteger)


# For what is only read: columns, which cost far less than objects whose changes are tracked, in
# statements that are built once.
ITEMS = select(ItemRow.id, ItemRow.name, ItemRow.price_cents)
ITEM = ITEMS.where(ItemRow.id == bindparam("item_id"))
PAGE = ITEMS.where(ItemRow.id > bindparam("after")).order_by(ItemRow.id).limit(bindparam("limit"))


class AttachmentRow(Base):
    """The attachment of an item; in a table of its own, so that reading items stays fast."""

    __tablename__ = "attachments"

    item_id: Mapped[int] = mapped_column(
        ForeignKey(ItemRow.id, ondelete="CASCADE"), primary_key=True
    )
    media_type: Mapped[str] = mapped_column(String(100))
    content: Mapped[bytes] = mapped_column(LargeBinary)


class DatabaseItems:
    """Items in a table; each method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, limit: int, after: int) -> list[Item]:
        async with self._database.transaction() as session:
            rows = await session.execute(PAGE, {"after": after, "limit": limit})
            return [_item(*row) for row in rows]

    async def get(self, item_id: int) -> Item | None:
        async with self._database.transaction() as session:
            row = (await session.execute(ITEM, {"item_id": item_id})).first()
            return _item(*row) if row else None

    async def add(self, new: NewItem) -> Item:
        async with self._database.transaction() as session:
            row = ItemRow(name=new.name, price_cents=_cents(new.price))
            session.add(row)
            await session.flush()
            return _item(row.id, row.name, row.price_cents)

    async def replace(self, item_id: int, new: NewItem) -> Item | None:
        async with self._database.transaction() as session:
            row = await session.get(ItemRow, item_id, with_for_update=True)
            if row is None:
                return None
            row.name, row.price_cents = new.name, _cents(new.price)
            return _item(row.id, row.name, row.price_cents)

    async def remove(self, item_id: int) -> bool:
        async with self._database.transaction() as session:
            query = delete(ItemRow).where(ItemRow.id == item_id).returning(ItemRow.id)
            return await session.scalar(query) is not None

    async def attachment(self, item_id: int) -> Attachment | None:
        async with self._database.transaction() as session:
            row = await session.get(AttachmentRow, item_id)
            return Attachment(media_type=row.media_type, content=row.content) if row else None

    async def attach(self, item_id: int, attachment: Attachment) -> bool:
        async with self._database.transaction() as session:
            if await session.get(ItemRow, item_id, with_for_update=True) is None:
                return False
            await session.execute(delete(AttachmentRow).where(AttachmentRow.item_id == item_id))
            session.add(AttachmentRow(item_id=item_id, **attachment.model_dump()))
            return True


def _item(item_id: int, name: str, price_cents: int) -> Item:
    return Item(id=item_id, name=name, price=Decimal(price_cents).scaleb(-2))


def _cents(price: Decimal) -> int:
    return int(price.scaleb(2))
