"""The relayer's outbox: entries written together, and one process at a time that gives out nonces."""

import asyncio

import pytest

from phoneagent.core.errors import Unavailable
from phoneagent.store import keys, outbox
from phoneagent.store.outbox import RedisOutbox
from tests.store.store_under_test import RELAYER, StoreUnderTest
from tests.waiting import within


def other_process(store: StoreUnderTest) -> RedisOutbox:
    return RedisOutbox(store.redis, store.scripts, RELAYER)


async def test_entries_are_written_and_removed_together_and_seen_by_all(store: StoreUnderTest) -> None:
    await store.outbox.write({"next": "7", "a": "[1]"})
    await store.outbox.write({"next": None, "b": "[2]", "never": None})

    assert await other_process(store).read() == {"a": "[1]", "b": "[2]"}


async def test_an_outbox_is_empty_at_first_and_each_address_has_its_own(store: StoreUnderTest) -> None:
    await RedisOutbox(store.redis, store.scripts, "0x" + "00" * 20).write({"next": "1"})

    assert await store.outbox.read() == {}


async def test_turns_of_tasks_and_processes_never_overlap(store: StoreUnderTest) -> None:
    outboxes = [store.outbox, store.outbox, other_process(store), other_process(store)]
    inside, most = 0, 0

    async def work(mine: RedisOutbox) -> None:
        nonlocal inside, most
        for _ in range(3):
            async with mine.turn():
                inside += 1
                most = max(most, inside)
                await asyncio.sleep(0)
                inside -= 1

    await within(asyncio.gather(*map(work, outboxes)))

    assert most == 1


async def test_a_turn_ends_with_an_error_in_it(store: StoreUnderTest) -> None:
    with pytest.raises(RuntimeError):
        async with store.outbox.turn():
            raise RuntimeError
    async with asyncio.timeout(1), other_process(store).turn():
        pass


async def test_a_turn_that_is_taken_is_waited_for_and_then_given_up(
    store: StoreUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "WAIT_S", 0.1)
    async with store.outbox.turn():
        with pytest.raises(Unavailable) as busy:
            async with other_process(store).turn():
                pass

    assert busy.value.code == "facilitator_unavailable"


async def test_a_turn_of_a_dead_process_ends_by_itself(store: StoreUnderTest) -> None:
    await store.redis.set(keys.relayer_turn(RELAYER), "a ticket of the dead", px=50)

    async with asyncio.timeout(2), store.outbox.turn():
        pass


async def test_work_that_takes_too_long_is_stopped_before_the_turn_ends(
    store: StoreUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert outbox.WORK_S * 1000 < keys.RELAYER_TURN_MS
    monkeypatch.setattr(outbox, "WORK_S", 0.05)
    with pytest.raises(Unavailable):
        async with store.outbox.turn():
            await asyncio.Event().wait()

    assert await store.redis.get(keys.relayer_turn(RELAYER)) is None


async def test_a_turn_that_passed_to_another_is_not_ended_by_its_old_holder(store: StoreUnderTest) -> None:
    async with store.outbox.turn():
        await store.redis.set(keys.relayer_turn(RELAYER), "the next one's ticket", px=30_000)

    assert await store.redis.get(keys.relayer_turn(RELAYER)) == "the next one's ticket"
    await store.redis.delete(keys.relayer_turn(RELAYER))
