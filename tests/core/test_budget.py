"""Limits hold, whatever the order of reservations and settlements."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ponder.core.budget import Account, Amount, Budget
from ponder.core.errors import BudgetExhausted, InvalidOption

PICO = 10**12
cents = st.integers(1, 300).map(lambda n: n / 100)
amounts = st.builds(Amount, st.integers(0, 60), st.integers(0, 2), st.integers(0, 90).map(lambda n: n / 1000))
budgets = st.builds(
    Budget,
    tokens=st.none() | st.integers(1, 400),
    usd=st.none() | cents,
    calls=st.none() | st.integers(1, 20),
    seconds=st.none() | st.just(1.0),
)


class Accounts(RuleBasedStateMachine):
    """A tree of accounts; any of them reserves and settles at any time."""

    @initialize(budget=budgets)
    def open(self, budget: Budget) -> None:
        self.accounts = [Account(budget)]
        self.held: list[tuple[Account, Amount]] = []
        self.excess: dict[int, Amount] = {}

    @rule(budget=budgets, data=st.data())
    def nest(self, budget: Budget, data: st.DataObject) -> None:
        self.accounts.append(Account(budget, data.draw(st.sampled_from(self.accounts))))

    @rule(amount=amounts, data=st.data())
    def reserve(self, amount: Amount, data: st.DataObject) -> None:
        account = data.draw(st.sampled_from(self.accounts))
        before = [(each.spent, each.reserved) for each in self.accounts]
        fits = account.affordable(amount, 1)
        if fits:
            account.reserve(amount)
            self.held.append((account, amount))
        else:
            with pytest.raises(BudgetExhausted) as refusal:
                account.reserve(amount)
            assert [(each.spent, each.reserved) for each in self.accounts] == before, "half a reservation"
            limiting = [each for each in account.chain() if getattr(each.budget, refusal.value.limit) is not None]
            assert refusal.value.refundable <= any(each.reserved.calls for each in limiting)

    @precondition(lambda self: self.held)
    @rule(data=st.data(), share=st.fractions(0, 1))
    def settle(self, data: st.DataObject, share: float) -> None:
        """A call that costs at most what was set aside for it."""
        account, held = self.held.pop(data.draw(st.integers(0, len(self.held) - 1)))
        account.settle(held, Amount(int(held.tokens * share), held.calls, float(held.usd * share)))

    @precondition(lambda self: self.held)
    @rule(data=st.data(), more=amounts)
    def overrun(self, data: st.DataObject, more: Amount) -> None:
        """A provider that streams on after the cancel: the one excess there may be, and it is booked."""
        account, held = self.held.pop(data.draw(st.integers(0, len(self.held) - 1)))
        before = account.spent
        account.settle(held, _sum(held, more))
        assert account.spent.tokens == before.tokens + held.tokens + more.tokens
        for each in account.chain():
            self.excess[id(each)] = _sum(self.excess.get(id(each), Amount()), more)

    @invariant()
    def no_limit_is_passed(self) -> None:
        for account in self.accounts:
            excess = self.excess.get(id(account), Amount())
            for name, limit in account.budget.limits():
                if name != "seconds":
                    used = sum(getattr(part, name) for part in (account.spent, account.reserved))
                    over = getattr(excess, name)
                    assert round(used * PICO) <= round(limit * PICO) + round(over * PICO) + 1, (name, limit)

    @invariant()
    def an_account_holds_what_those_inside_it_hold(self) -> None:
        for account in self.accounts:
            held = [amount for owner, amount in self.held if account in owner.chain()]
            assert account.reserved.tokens == sum(amount.tokens for amount in held)
            assert account.reserved.calls == sum(amount.calls for amount in held)

    def teardown(self) -> None:
        for account, held in getattr(self, "held", []):
            account.settle(held, Amount())
        assert all(account.reserved == Amount() for account in getattr(self, "accounts", []))


def _sum(left: Amount, right: Amount) -> Amount:
    return Amount(left.tokens + right.tokens, left.calls + right.calls, left.usd + right.usd)


TestAccounts = Accounts.TestCase
TestAccounts.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def test_a_sum_of_cents_that_is_the_limit_fits_and_leaves_nothing_behind() -> None:
    account = Account(Budget(usd=0.3))
    for cost in (0.1, 0.2):  # 0.1 + 0.2 > 0.3 for floating-point numbers
        account.reserve(Amount(calls=1, usd=cost))
    with pytest.raises(BudgetExhausted):
        account.reserve(Amount(calls=1, usd=1e-12))
    for cost in (0.2, 0.1):
        account.settle(Amount(calls=1, usd=cost), Amount(calls=1, usd=cost))
    assert account.reserved == Amount()
    assert account.spent == Amount(calls=2, usd=0.3)


def test_affordable_counts_the_calls_that_fit_now() -> None:
    inner = Account(Budget(tokens=100), Account(Budget(tokens=250, calls=3)))
    assert inner.affordable(Amount(tokens=30, calls=1), 10) == 3
    inner.reserve(Amount(tokens=30, calls=1))
    assert inner.affordable(Amount(tokens=30, calls=1), 10) == 2
    assert inner.affordable(Amount(tokens=1000, calls=1), 10) == 0


def test_a_refusal_says_whether_calls_under_way_may_still_make_room() -> None:
    account = Account(Budget(tokens=100))
    account.reserve(Amount(tokens=80, calls=1))
    with pytest.raises(BudgetExhausted, match="tokens=100 reached: 0 spent, the next call may need 30") as refusal:
        account.reserve(Amount(tokens=30, calls=1))
    assert (refusal.value.limit, refusal.value.refundable, refusal.value.inner) == ("tokens", True, False)
    account.settle(Amount(tokens=80, calls=1), Amount(tokens=80, calls=1))
    with pytest.raises(BudgetExhausted) as refusal:
        Account(Budget(calls=5), account).reserve(Amount(tokens=30, calls=1))
    assert (refusal.value.refundable, refusal.value.inner) == (False, False)


WRONG = ["", "tokens", "tokens=", "tokens=-1", "tokens=0", "tokens=1.5", "tokens=20kb", "tokens=5,tokens=6", "token=5"]
WRONG += ["usd=$1", "usd=inf", "calls=nan", "seconds=1m30s", "usd=1e16", "tokens=1e99", "seconds=9e99k"]
WRONG += [f"{name}={'9' * 400}" for name in ("tokens", "usd", "calls", "seconds")] + [
    "x" * 10_000,
    "tokens=" + "x" * 999,
]


@pytest.mark.parametrize("text", WRONG)
def test_a_budget_in_wrong_units_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(InvalidOption) as refusal:
        Budget.parse(text)
    assert "\n" not in str(refusal.value)
    assert "budget" in str(refusal.value)
    assert len(str(refusal.value)) < 300


HUGE = pytest.param(10**5000, id="5001 digits")  # which Python does not write


@pytest.mark.parametrize("value", ["5", True, 1.5, [], 0, -1, 10**16, 10**400, HUGE, float("inf")])
@pytest.mark.parametrize("name", ["tokens", "calls"])
def test_a_budget_that_is_none_is_one_error_in_python_too(name: str, value: Any) -> None:
    with pytest.raises(InvalidOption, match=f"^budget {name}=.{{0,200}}$"):
        Budget(**{name: value})


@pytest.mark.parametrize("value", ["5", True, None, -0.0, float("nan"), float("inf"), 1e300, 10**400, HUGE])
def test_dollars_and_seconds_are_finite_numbers(value: Any) -> None:
    for name in ("usd", "seconds"):
        with nullcontext() if value is None else pytest.raises(InvalidOption, match=f"^budget {name}=.{{0,200}}$"):
            Budget(**{name: value})


def test_a_budget_is_read_as_people_write_it() -> None:
    assert Budget.parse("tokens=20k, seconds=30,usd=.05,calls=1e2") == Budget(20_000, 0.05, 100, 30.0)
