-- Extend (lease_ms > 0) or give back (0) a lease that is still ours; a rental nobody bought for is armed for abandon.
-- KEYS: rental, due:abandon   ARGV: clock, lease_ms, fence, id, abandon_ms   → 1 | 0
if redis.call('HGET', KEYS[1], 'lease_fence') ~= ARGV[3] then return 0 end
redis.call('HSET', KEYS[1], 'lease_until', raw_ms + tonumber(ARGV[2]))
redis.call('ZADD', KEYS[2], 'XX', raw_ms + tonumber(ARGV[5]), ARGV[4])
if ARGV[2] == '0' then redis.call('PUBLISH', 'wake', ARGV[4]) end
return 1
