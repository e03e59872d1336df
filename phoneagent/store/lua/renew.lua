-- Extend a lease that is still ours; the abandon timer of a rental nobody bought for starts again.
-- KEYS: rental, due:abandon   ARGV: clock, lease_ms, fence, id, abandon_ms   → 1 | 0 (given back, or not ours any more)
local held = redis.call('HMGET', KEYS[1], 'lease_fence', 'lease_until')
if held[1] ~= ARGV[3] or held[2] == '0' then return 0 end
redis.call('HSET', KEYS[1], 'lease_until', raw_ms + tonumber(ARGV[2]))
redis.call('ZADD', KEYS[2], 'XX', raw_ms + tonumber(ARGV[5]), ARGV[4])
return 1
