-- A hint: let a rental's status question be due at once, and tell whoever is asking already.
-- KEYS: due set of polls, rental   ARGV: clock, id, topic of the hint   → 1 | 0 (no status question is due any more)
local at = redis.call('ZSCORE', KEYS[1], ARGV[2])
if not at then return 0 end
if tonumber(at) > now_ms then redis.call('ZADD', KEYS[1], now_ms, ARGV[2]) end
redis.call('HSET', KEYS[2], 'is_hinted', '1')
redis.call('PUBLISH', 'wake', ARGV[3] .. ' jobs:poll')
return 1
