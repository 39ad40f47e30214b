"""Code that blocks the event loop is noticed."""

import asyncio

import pytest

from vitals import CheckFailed
from vitals.health.event_loop import EventLoop


async def test_code_that_blocks_shows_in_the_gauge_and_fails_the_check_once() -> None:
    loop = EventLoop()
    [check] = loop.checks()
    await loop.open()

    loop._measure(due=asyncio.get_running_loop().time() - 2)

    assert loop.gauges()["event_loop_lag_seconds"] >= 2
    with pytest.raises(CheckFailed, match=r"blocked for 2.*expected at most 0\.5 s"):
        await check.probe()
    await check.probe()
    await loop.close()


async def test_a_free_event_loop_passes() -> None:
    loop = EventLoop()
    [check] = loop.checks()
    await loop.open()
    await loop.close()

    await check.probe()
