"""The journeys and the token on software that is not ours: npm's anvil and Circle's real FiatTokenV2_2."""
