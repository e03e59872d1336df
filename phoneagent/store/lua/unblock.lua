-- Lift a payer's block and forget the silent rentals that cool it down. What it has open stays counted.
-- KEYS: payer   ARGV: clock   → 1 | 0 (it was neither blocked nor known for any outcome)
return math.min(1, redis.call('HDEL', KEYS[1], 'blocked_until_ms', 'blocked_for', 'outcomes', 'outcome_at_ms'))
