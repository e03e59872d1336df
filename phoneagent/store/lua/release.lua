-- Take a payment's settlement back from a facilitator, if it has it. Repeatable.
-- KEYS: payment → facilitator   ARGV: clock, facilitator   → 1 if it had it
if redis.call('GET', KEYS[1]) ~= ARGV[2] then return 0 end
return redis.call('DEL', KEYS[1])
