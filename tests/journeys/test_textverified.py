"""The second number provider of the development composition, as a stranger with its announced keys finds it."""

from __future__ import annotations

from tests.journeys.outsider import Outside


async def test_the_announced_keys_buy_a_number_that_receives_an_sms(outside: Outside) -> None:
    base, keys = outside.told["simulators"]["textverified"], outside.told["simulator_keys"]["textverified"]
    env = outside.told["env"]
    names = ("PHONEAGENT_TEXTVERIFIED_URL", "PHONEAGENT_TEXTVERIFIED_API_KEY", "PHONEAGENT_TEXTVERIFIED_USERNAME")
    assert [env[name] for name in names] == [base, keys["api_key"], keys["api_username"]]
    named = {"X-API-KEY": keys["api_key"], "X-API-USERNAME": keys["api_username"]}
    token = (await outside.http.post(f"{base}/api/pub/v2/auth", headers=named)).json()["token"]
    bearer = {"Authorization": f"Bearer {token}"}

    order = {"serviceName": "google", "capability": "sms", "maxPrice": 1.0}
    made = await outside.http.post(f"{base}/api/pub/v2/verifications", headers=bearer, json=order)
    details = (await outside.http.get(made.headers["location"], headers=bearer)).json()
    sms = {"number": details["number"], "sender": "22000", "text": "G-123456 is your code", "delay_s": 60}
    assert (await outside.http.post(f"{base}/_sim/sms", json=sms)).json() == {"fate": "scheduled"}
    clock = (await outside.http.post(f"{base}/_sim/clock", json={"advance_s": 61})).json()

    inbox = (await outside.http.get(details["sms"]["href"], headers=bearer)).json()["data"]
    assert [row["parsedCode"] for row in inbox] == ["123456"]
    state = (await outside.http.get(f"{base}/_sim/state")).json()
    # the service may have bought there too
    ours = [row for row in state["activations"] if row["number"].endswith(details["number"])]
    assert [row["status"] for row in ours] == ["received"]
    elsewhere = outside.told["simulators"]["smsactivate"]
    moved = (await outside.http.post(f"{elsewhere}/_sim/clock", json={"advance_s": 0})).json()
    assert moved["now"] >= clock["now"]  # one clock for all parts
