-- Extend a lease that is still ours; the abandon timer of a rental nobody bought for starts again.
-- KEYS: rental, due:abandon   ARGV: clock, lease_ms, fence, id, abandon_ms   → 1 | 0 (not ours any more)
if redis.call('HGET', KEYS[1], 'lease_fence') ~= ARGV[3] then return 0 end
redis.call('HSET', KEYS[1], 'lease_until', raw_ms + tonumber(ARGV[2]))
redis.call('ZADD', KEYS[2], 'XX', raw_ms + tonumber(ARGV[5]), ARGV[4])
return 1
