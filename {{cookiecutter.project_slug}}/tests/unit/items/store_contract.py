"""The tests of every store of items. Inherit them and define a fixture `store`."""

import asyncio
from decimal import Decimal

from app.items.models import Attachment, NewItem
from app.items.store import ItemStore

TEA = NewItem(name="tea", price=Decimal("2.50"))
COFFEE = NewItem(name="coffee", price=Decimal("99999999.99"))


class StoreContract:
    """What ItemStore promises."""

    async def test_an_added_item_is_read_as_it_was_given(self, store: ItemStore) -> None:
        added = await store.add(COFFEE)

        assert await store.get(added.id) == added
        assert (added.name, added.price) == (COFFEE.name, COFFEE.price)

    async def test_an_unknown_item_is_none(self, store: ItemStore) -> None:
        assert await store.get(1) is None
        assert await store.replace(1, TEA) is None
        assert await store.remove(1) is False

    async def test_a_replaced_item_is_seen_by_the_next_reader(self, store: ItemStore) -> None:
        added = await store.add(TEA)
        await store.get(added.id)

        replaced = await store.replace(added.id, COFFEE)

        assert await store.get(added.id) == replaced
        assert replaced is not None
        assert (replaced.id, replaced.name) == (added.id, "coffee")

    async def test_a_removed_item_is_gone_for_the_next_reader(self, store: ItemStore) -> None:
        added = await store.add(TEA)
        await store.get(added.id)

        assert await store.remove(added.id) is True

        assert await store.get(added.id) is None
        assert await store.page(limit=10, after=0) == []

    async def test_an_id_is_never_used_twice(self, store: ItemStore) -> None:
        first = await store.add(TEA)
        await store.remove(first.id)

        assert (await store.add(TEA)).id > first.id

    async def test_pages_follow_each_other_without_gap_or_repeat(self, store: ItemStore) -> None:
        added = [await store.add(TEA) for _ in range(5)]

        first = await store.page(limit=3, after=0)
        second = await store.page(limit=3, after=first[-1].id)

        assert first + second == added

    async def test_items_added_at_the_same_time_are_all_stored(self, store: ItemStore) -> None:
        added = await asyncio.gather(*(store.add(TEA) for _ in range(10)))

        stored = await store.page(limit=100, after=0)

        assert sorted(item.id for item in added) == [item.id for item in stored]

    async def test_an_attachment_can_be_replaced_and_goes_with_its_item(
        self, store: ItemStore
    ) -> None:
        item = await store.add(TEA)
        old = Attachment(media_type="image/png", content=b"old")
        new = Attachment(media_type="application/pdf", content=b"\x00new")

        assert await store.attachment(item.id) is None
        assert await store.attach(item.id, old)
        assert await store.attach(item.id, new)
        assert await store.attachment(item.id) == new
        await store.remove(item.id)
        assert await store.attachment(item.id) is None

    async def test_nothing_can_be_attached_to_an_unknown_item(self, store: ItemStore) -> None:
        assert not await store.attach(7, Attachment(media_type="image/png", content=b"x"))
