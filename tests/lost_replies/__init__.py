"""Half of all purchase replies are lost: `python -m tests.lost_replies [RENTALS]`, and a short form in CI."""
