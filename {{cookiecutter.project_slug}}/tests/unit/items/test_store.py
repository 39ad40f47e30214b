"""Items in memory."""

import pytest

from app.items.store import ItemStore, MemoryItems
from tests.unit.items.store_contract import StoreContract


class TestMemoryItems(StoreContract):
    """The tests of every store, in memory."""

    @pytest.fixture
    def store(self) -> ItemStore:
        return MemoryItems()
