"""Whatever happens in whatever order, every promise holds after every step, and every rental comes to its end."""

from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from phoneagent.core.errors import IllegalTransition
from phoneagent.core.events import Event, LedgerEntry
from phoneagent.core.invariants import Violation, of_ledger, of_record, of_step
from phoneagent.core.rental import MessageState, Product, Rental
from phoneagent.core.transitions import Change
from tests.core.due_work import STEPS_MOST, done, next_job
from tests.core.moves import MOVES, PATHS, Move, Turn, possible
from tests.core.stories import EXPIRES, NOW, countries_draft, draft

DRAFTS = {Product.RENT: draft(), Product.COUNTRIES: countries_draft()}
ENDS = {"rental.settled", "rental.expired", "rental.released"}

turns = st.tuples(st.integers(0, 120_000), st.integers(0, 5), st.booleans())


class Lifecycle(RuleBasedStateMachine):
    """One rental in a world that does anything a guard permits, twice if it likes, with time that may leap."""

    rental: Rental

    def __init__(self) -> None:
        super().__init__()
        self.now_ms = NOW
        self.events: list[Event] = []
        self.ledger: list[LedgerEntry] = []
        self.faults: list[Violation] = []

    @initialize(product=st.sampled_from(Product), path=st.sampled_from(sorted(PATHS)), head_start=st.integers(0, 7))
    def claim(self, product: Product, path: str, head_start: int) -> None:
        self.rental = DRAFTS[product]
        for move in PATHS[path][:head_start]:
            self.now_ms += EXPIRES - NOW if move.name == "expired" else 0
            turn = Turn(self.now_ms, 5_000, 1)
            if move in possible(self.rental, turn):
                self._take(move.make(self.rental, turn))

    @rule(seconds=st.sampled_from([0, 1, 5, 30, 61, 600, 1_800, 300_000]))
    def let_time_pass(self, seconds: int) -> None:
        self.now_ms += seconds * 1000

    @precondition(lambda self: not self.rental.is_retired)
    @rule(data=st.data(), drawn=turns)
    def something_happens(self, data: st.DataObject, drawn: tuple[int, int, bool]) -> None:
        turn = Turn(self.now_ms, *drawn)
        moves = possible(self.rental, turn)
        if moves:
            move = data.draw(st.sampled_from(moves), label="move")
            self._take(move.make(self.rental, turn))

    @precondition(lambda self: not self.rental.is_retired)
    @rule(data=st.data(), drawn=turns)
    def something_happens_and_a_crash_does_it_again(self, data: st.DataObject, drawn: tuple[int, int, bool]) -> None:
        turn = Turn(self.now_ms, *drawn)
        moves = possible(self.rental, turn)
        if not moves:
            return
        move = data.draw(st.sampled_from(moves), label="move")
        first = move.make(self.rental, turn)
        assert move.make(self.rental, turn) == first  # the script's answer was lost: the same change again
        self._take(first)
        self._take_unless_refused(data.draw(st.sampled_from([move, *MOVES]), label="again"), turn)

    @rule(move=st.sampled_from(MOVES), drawn=turns)
    def a_worker_with_an_old_idea_tries_something(self, move: Move, drawn: tuple[int, int, bool]) -> None:
        self._take_unless_refused(move, Turn(self.now_ms, *drawn))

    @invariant()
    def every_promise_holds(self) -> None:
        assert self.faults == []
        assert of_record(self.rental) == []
        assert of_ledger(self.rental, self.ledger) == []

    @invariant()
    def a_live_rental_knows_when_it_is_due(self) -> None:
        if not self.rental.is_retired:
            assert next_job(self.rental, self.now_ms)[1] >= self.now_ms

    @invariant()
    def it_ends_at_most_once_and_says_so(self) -> None:
        ends = [event.type.value for event in self.events if event.type.value in ENDS]
        assert ends == ([f"rental.{self.rental.state.value}"] if self.rental.is_final else [])

    @invariant()
    def the_books_hold_one_cost_and_at_most_one_refund_of_a_number(self) -> None:
        kinds = Counter(entry.kind.value for entry in self.ledger)
        has_number = self.rental.order is not None and self.rental.order.activation_id is not None
        assert kinds["number_cost"] == int(has_number)
        assert kinds["number_refund"] <= kinds["number_cost"]
        assert kinds["loss"] + kinds["sale"] <= 1

    @invariant()
    def nothing_is_readable_before_it_is_paid(self) -> None:
        states = {message.state for message in self.rental.messages}
        assert MessageState.REVEALED not in states or self.rental.state.value == "settled"

    def teardown(self) -> None:
        for _ in range(STEPS_MOST):
            if self.rental.is_retired:
                break
            job, self.now_ms = next_job(self.rental, self.now_ms)
            self._take(done(self.rental, job, self.now_ms))
            self.every_promise_holds()
        assert self.rental.is_retired, f"due work leaves it at {self.rental}"
        self.it_ends_at_most_once_and_says_so()
        self.the_books_hold_one_cost_and_at_most_one_refund_of_a_number()

    def _take(self, change: Change) -> None:
        self.faults += of_step(self.rental, change.rental)
        self.rental = change.rental
        self.events += change.events
        self.ledger += change.ledger

    def _take_unless_refused(self, move: Move, turn: Turn) -> None:
        try:
            change = move.make(self.rental, turn)
        except IllegalTransition:
            return
        self._take(change)


Lifecycle.TestCase.settings = settings(max_examples=300, stateful_step_count=25)
TestLifecycle = Lifecycle.TestCase
