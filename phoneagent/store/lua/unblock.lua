-- Lift a payer's block and forget the silent rentals that cool it down; the trail tells it. What is open stays counted.
-- KEYS: payer, blocks   ARGV: clock, address   → 1 | 0 (it was neither blocked nor known for any outcome)
if redis.call('HDEL', KEYS[1], 'blocked_until_ms', 'blocked_for', 'outcomes', 'outcome_at_ms') == 0 then return 0 end
redis.call('XADD', KEYS[2], '*', 'entry', cjson.encode({kind = 'payer_unblocked', subject = ARGV[2], reason = '',
  by = 'phoneagent payers unblock', at_ms = string.format('%.0f', now_ms)}))
return 1
