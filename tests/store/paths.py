"""The verbs that bring a claimed rental to the places where contract tests need it."""

from collections.abc import Sequence

from phoneagent.core import transitions as verb
from tests.core.stories import ACTIVATION, NOW, PURCHASE_TIMEOUT, SMS
from tests.store.store_under_test import Verb

TO_PAID: Sequence[Verb] = (lambda r: verb.verified(r, NOW),)
TO_INTENDED: Sequence[Verb] = (*TO_PAID, lambda r: verb.intended(r, "smsfast", PURCHASE_TIMEOUT, NOW))
TO_ACTIVE: Sequence[Verb] = (*TO_INTENDED, lambda r: verb.attached(r, ACTIVATION, NOW))
TO_CODED: Sequence[Verb] = (*TO_ACTIVE, lambda r: verb.sms_seen(r, [SMS], NOW))
TO_SETTLING: Sequence[Verb] = (*TO_CODED, lambda r: verb.settle_sent(r, NOW + 5_000, NOW))
