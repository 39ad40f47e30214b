"""The same service by hand, as the documentation of FastAPI and SQLAlchemy writes one."""

import os
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Path, Query, Response
from pydantic import BaseModel, Field
from redis.asyncio import Redis
from sqlalchemy import BigInteger, String, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

url = os.environ["APP_DATABASE_URL"].replace("postgresql:", "postgresql+asyncpg:")
sessions = async_sessionmaker(create_async_engine(url, pool_size=10), expire_on_commit=False)
cache = Redis.from_url(os.environ["APP_CACHE_URL"])
routes = APIRouter(prefix="/items", tags=["items"])


class Base(DeclarativeBase):
    pass


class ItemRow(Base):
    __tablename__ = "items"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    price_cents: Mapped[int] = mapped_column(BigInteger)

    def item(self) -> "Item":
        return Item(id=self.id, name=self.name, price=Decimal(self.price_cents).scaleb(-2))


class NewItem(BaseModel):
    name: str = Field(min_length=1, max_length=200)
    price: Decimal = Field(ge=0, max_digits=12, decimal_places=2)


class Item(NewItem):
    id: int


class ItemPage(BaseModel):
    items: list[Item]
    next: int | None


app = FastAPI(title="plain")


async def get_session() -> AsyncIterator[AsyncSession]:
    async with sessions() as session:
        yield session


Session = Annotated[AsyncSession, Depends(get_session)]


@app.get("/livez")
async def livez() -> dict[str, str]:
    return {"status": "pass"}


@routes.get("")
async def list_items(
    session: Session, limit: Annotated[int, Query(ge=1, le=100)] = 20, after: int = 0
) -> ItemPage:
    query = select(ItemRow).where(ItemRow.id > after).order_by(ItemRow.id).limit(limit + 1)
    found = [row.item() for row in await session.scalars(query)]
    return ItemPage(items=found[:limit], next=found[limit - 1].id if len(found) > limit else None)


@routes.get("/{item_id}")
async def read_item(session: Session, item_id: Annotated[int, Path(ge=1)]) -> Item:
    if cached := await cache.get(f"items:{item_id}"):
        return Item.model_validate_json(cached)
    if (row := await session.get(ItemRow, item_id)) is None:
        raise HTTPException(404, "no such item")
    await cache.set(f"items:{item_id}", row.item().model_dump_json(), ex=30)
    return row.item()


@routes.post("", status_code=201)
async def create_item(session: Session, new: NewItem, response: Response) -> Item:
    row = ItemRow(name=new.name, price_cents=int(new.price.scaleb(2)))
    session.add(row)
    await session.commit()
    response.headers["Location"] = f"/items/{row.id}"
    return row.item()
