-- Take the lease of one rental if nobody holds it.
-- KEYS: rental   ARGV: clock, lease_ms   → {now_ms, fence, flat fields} | nil
local held = redis.call('HMGET', KEYS[1], 'lease_until', 'lease_fence')
if not held[2] or tonumber(held[1]) > raw_ms then return nil end
redis.call('HSET', KEYS[1], 'lease_until', raw_ms + tonumber(ARGV[2]))
local fence = redis.call('HINCRBY', KEYS[1], 'lease_fence', 1)
return {now_ms, fence, redis.call('HGETALL', KEYS[1])}
