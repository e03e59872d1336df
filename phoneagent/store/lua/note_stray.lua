-- Write down an activation from the host's list that no rental has claimed, unless it is written down already.
-- KEYS: activation → rental, stray, strays by due time   ARGV: clock, activation id, activation JSON, look after ms
-- → 1 | 0
if redis.call('EXISTS', KEYS[1], KEYS[2]) > 0 then return 0 end
redis.call('HSET', KEYS[2], 'activation', ARGV[3], 'found_at_ms', string.format('%.0f', now_ms))
redis.call('ZADD', KEYS[3], now_ms + tonumber(ARGV[4]), ARGV[2])
return 1
